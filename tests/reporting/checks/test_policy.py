import pytest

from gptwright.evaluation.intervals import share
from gptwright.reporting.checks.policy import (
    answer_length,
    distinct_pairs,
    ended,
    kl,
    over_optimisation,
    preferred_style,
    right_answers,
    value_head,
    win_rate,
)
from gptwright.reporting.judgements import Wins
from gptwright.training.evaluation import Estimate, Evaluation


@pytest.mark.parametrize(
    ("won", "of", "level"),
    [
        (85, 100, "healthy"),
        (84, 100, "watch"),
        (61, 100, "watch"),  # 51.2 to 70.0
        (59, 100, "ill"),  # 49.2 to 68.1: may be no better than a half
        (6, 7, "ill"),  # 85.7 %, but from 48.7 on: too few prompts
    ],
)
def test_wins_need_a_lower_bound_above_a_half(won: int, of: int, level: str) -> None:
    finding = win_rate(Wins(share(won, of), "the rule “plain-words”"))
    assert finding.level == level and "plain-words" in finding.evidence


@pytest.mark.parametrize(("won", "level"), [(97, "watch"), (70, "watch"), (52, "ill")])
def test_by_its_own_reward_model_a_policy_is_never_shown_to_be_good(won: int, level: str) -> None:
    finding = win_rate(Wins(share(won, 100), "the reward model itself", independent=False))
    assert finding.level == level and "by the reward model itself" in finding.evidence
    assert level == "ill" or "--judgements" in finding.advice


@pytest.mark.parametrize(("nats", "level"), [(0.0, "healthy"), (10.0, "healthy"), (10.1, "ill")])
def test_ten_nats_of_distance_are_allowed(nats: float, level: str) -> None:
    finding = kl(nats)
    assert finding and finding.level == level


@pytest.mark.parametrize(("late", "level"), [(0.9, "healthy"), (0.89, "watch"), (0.7, "watch"), (0.69, "ill")])
def test_the_last_quarter_of_answers_must_end(late: float, level: str) -> None:
    finding = ended([(n, 0.1) for n in range(1, 7)] + [(7, late), (8, late)])
    assert finding and finding.level == level


@pytest.mark.parametrize(("after", "level"), [(0.9, "healthy"), (0.48, "healthy"), (0.47, "watch")])
def test_four_tenths_of_the_variety_may_be_lost(after: float, level: str) -> None:
    finding = distinct_pairs(0.8, after)
    assert finding and finding.level == level and finding.fault == ("mode-collapse" if level == "watch" else "")


@pytest.mark.parametrize(("after", "level"), [(15.0, "healthy"), (15.1, "watch"), (5.0, "healthy"), (4.9, "watch")])
def test_length_may_drift_by_half_either_way(after: float, level: str) -> None:
    finding = answer_length(10.0, after)
    assert finding and finding.level == level


@pytest.mark.parametrize(("late", "level"), [(0.1, "healthy"), (0.09, "watch"), (-1.0, "watch")])
def test_the_value_head_must_explain_a_tenth(late: float, level: str) -> None:
    finding = value_head([(1, 0.9), (2, 0.9), (3, 0.9), (4, late)], [])
    assert finding and finding.level == level
    dead = value_head([(1, late)], [(1, 0.5), (2, 0.0)])
    assert dead and dead.level == "ill" and dead.fault == "dead-value-head"


@pytest.mark.parametrize(("late", "level"), [(0.8, "healthy"), (0.61, "healthy"), (0.59, "ill"), (0.2, "ill")])
def test_half_of_what_gold_gained_may_be_lost_again(late: float, level: str) -> None:
    finding = over_optimisation([(2, 0.4), (4, 0.5), (6, 0.8), (8, 0.7), (10, 0.6), (12, 0.7), (14, late)])
    assert finding and finding.level == level and "0.40 → 0.80 after update 6" in finding.evidence
    assert finding.fault == ("over-optimisation" if level == "ill" else "")


@pytest.mark.parametrize(("after", "level"), [(0.90, "healthy"), (0.71, "healthy"), (0.69, "watch")])
def test_ten_points_of_answers_may_be_lost_in_the_worst_kind(after: float, level: str) -> None:
    finding = right_answers(_shares(form=0.9, turns=0.8), _shares(form=0.9, turns=after))
    assert finding and finding.level == level and ("turns" in finding.evidence) == (after < 0.8)


@pytest.mark.parametrize(("after", "level"), [(0.90, "healthy"), (0.89, "watch"), (0.60, "watch"), (0.59, "ill")])
def test_nine_answers_of_ten_are_in_the_style(after: float, level: str) -> None:
    shares = [{"friendly answers": Estimate(value, value, value, 256)} for value in (0.3, after)]
    finding = preferred_style("friendly", *shares)
    assert finding and finding.level == level and "friendly answers 30\N{NO-BREAK SPACE}% → " in finding.evidence
    assert right_answers(*shares) is None
    assert preferred_style("friendly", {}, shares[1]) is None


def test_what_was_not_measured_is_not_judged() -> None:
    found = (Wins.of(Evaluation()), kl(None), ended([]), value_head([], []),
             distinct_pairs(None, 1.0), answer_length(10.0, None), right_answers({}, {}),
             over_optimisation([(n, 1.0) for n in range(5)]))  # fmt: skip
    assert found == (None,) * 8


def _shares(**shares: float) -> dict[str, Estimate]:
    return {kind: Estimate(value, value, value, 100) for kind, value in shares.items()}
