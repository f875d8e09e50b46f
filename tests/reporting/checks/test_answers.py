import pytest

from gptwright.evaluation.intervals import Estimate, share
from gptwright.reporting.checks.answers import (
    control_accuracy,
    held_out_facts,
    held_out_forms,
    honest_refusals,
    language_rise,
    reward_accuracy,
)


@pytest.mark.parametrize(("right", "level"), [(80, "healthy"), (79, "watch"), (50, "watch"), (49, "ill")])
def test_right_answers_in_new_forms(right: int, level: str) -> None:
    finding = held_out_forms(share(right, 100))
    assert finding and finding.level == level and f"{right}.0" in finding.evidence


@pytest.mark.parametrize(("right", "level"), [(0, "healthy"), (7, "healthy"), (8, "ill"), (60, "ill")])
def test_facts_never_taught_are_guessed_at_most_one_time_in_ten(right: int, level: str) -> None:
    finding = held_out_facts(share(right, 72))
    assert finding and finding.level == level and ("leaked" in finding.title) == (level == "ill")


@pytest.mark.parametrize(("right", "level"), [(160, "healthy"), (159, "watch"), (100, "watch"), (99, "ill")])
def test_four_of_five_everyday_questions_are_answered_honestly(right: int, level: str) -> None:
    finding = honest_refusals(share(right, 200))
    assert finding and finding.level == level and "everyday questions" in finding.evidence
    assert honest_refusals(None) is None


@pytest.mark.parametrize(("nats", "level"), [(-0.1, "healthy"), (0.5, "healthy"), (0.51, "ill")])
def test_half_a_nat_of_language_may_be_lost(nats: float, level: str) -> None:
    finding = language_rise("PPO", nats)
    assert finding and finding.level == level and finding.title.startswith("PPO")


@pytest.mark.parametrize(("right", "level"), [(75, "healthy"), (74, "watch"), (60, "watch"), (59, "ill")])
def test_reward_orders_three_pairs_of_four(right: int, level: str) -> None:
    finding = reward_accuracy(share(right, 100))
    assert finding and finding.level == level


@pytest.mark.parametrize(
    ("right", "pairs", "level"),
    [
        (450, 1000, "healthy"),
        (550, 1000, "healthy"),
        (570, 1000, "watch"),  # 53.9 to 60.0: may still be 55
        (600, 1000, "ill"),  # 56.9 to 63.0
        (400, 1000, "ill"),
        (6, 10, "watch"),  # too few to tell
    ],
)
def test_the_control_must_be_a_coin(right: int, pairs: int, level: str) -> None:
    finding = control_accuracy(share(right, pairs))
    assert finding and finding.level == level


def test_what_was_not_measured_is_not_judged() -> None:
    assert [rule(None) for rule in (held_out_forms, held_out_facts, reward_accuracy, control_accuracy)] == [None] * 4
    assert language_rise("PPO", None) is None


def test_evidence_holds_the_interval_and_the_count() -> None:
    finding = reward_accuracy(Estimate(0.8741, 0.8531, 0.8924, 1096))
    assert finding and finding.evidence == "87.4\u00a0% (85.3–89.2) of 1,096 held-out pairs"
