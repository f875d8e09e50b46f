"""Against scipy, scikit-learn and loops; then what the figures must do whatever the numbers."""

from collections.abc import Sequence
from math import exp

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.metrics import ndcg_score

from gptwright.evaluation.metrics import calibration_error, pearson
from gptwright.evaluation.ranking_metrics import (
    FIGURES,
    ScoredAnswers,
    evaluate_ranking,
    gains,
    kendall,
    ndcg,
    top1_regret,
)

DICE = np.random.default_rng(0)


def rankings(count: int, noise: float = 1.0, *, rounded: bool = False) -> list[ScoredAnswers]:
    """Two of each prompt, with 2 … 9 answers; the scores follow the ranks, less or more."""
    found: list[ScoredAnswers] = []
    for number in range(count):
        answers = int(DICE.integers(2, 10))
        ranks = [1, 2, *DICE.integers(1, 5, answers - 2).tolist()]
        scores = -np.array(ranks) + noise * DICE.normal(size=answers)
        found.append(ScoredAnswers(number // 2, (scores.round() if rounded else scores).tolist(), ranks,
                                   DICE.integers(1, 40, answers).tolist()))  # fmt: skip
    return found


@pytest.mark.parametrize("rounded", [True, False])
def test_of_one_ranking_as_scipy_and_scikit_learn_have_it(rounded: bool) -> None:
    for each in rankings(60, rounded=rounded):
        if len({*each.scores}) == 1:
            assert kendall(each.ranks, each.scores) == 0
            continue
        tau = kendalltau(-np.array(each.ranks), each.scores, variant="b").statistic
        assert kendall(each.ranks, each.scores) == pytest.approx(tau, abs=1e-12)
        expected = ndcg_score([gains(each.ranks)], [each.scores])
        assert ndcg(each.ranks, each.scores) == pytest.approx(expected, abs=1e-12)


def test_by_hand() -> None:
    assert gains([1, 2, 2, 5]).tolist() == [3, 1, 1, 0]
    assert top1_regret([1, 2, 2, 5], [0, 1, 0, 0]) == pytest.approx(2 / 3)
    assert top1_regret([1, 2, 3], [4, 4, 0]) == pytest.approx(0.25)
    assert top1_regret([1, 2], [2, 1]) == 0 and top1_regret([1, 2], [1, 2]) == 1
    for figure in FIGURES.values():
        assert figure([1, 1], [0.5, 2.0]) == 0, "nothing is better than anything"


def test_pairs_by_margin_and_length() -> None:
    scored = ScoredAnswers("q", [3.0, 1.0, 2.0, 0.0], [1, 2, 4, 4], [10, 30, 10, 11])
    found = evaluate_ranking([scored]).estimates
    shares = {name: (each.value, each.count) for name, each in found.items() if name.startswith("pair_accuracy")}
    assert shares == {
        "pair_accuracy": (0.8, 5),
        "pair_accuracy, neighbours": (2 / 3, 3),
        "pair_accuracy, two ranks apart": (1.0, 2),
        "pair_accuracy, shorter is better": (1.0, 1),
        "pair_accuracy, alike in length": (1.0, 2),
        "pair_accuracy, longer is better": (0.5, 2),
    }


def every_pair(found: Sequence[ScoredAnswers]) -> list[float]:
    return [each.scores[i] - each.scores[j] for each in found for i in range(len(each.ranks))
            for j in range(len(each.ranks)) if each.ranks[i] < each.ranks[j]]  # fmt: skip


def test_calibration_and_correlation_are_those_of_all_pairs_and_answers() -> None:
    found = rankings(40)
    estimates, margins = evaluate_ranking(found).estimates, every_pair(found)
    right = [float(margin > 0) for margin in margins]
    assert estimates["pair_accuracy"].value == pytest.approx(np.mean(right)) and len(right) > 100
    expected = calibration_error([1 / (1 + exp(-abs(margin))) for margin in margins], right)
    assert estimates["calibration_error"].value == pytest.approx(expected, abs=1e-12)
    scores, lengths = ([x - np.mean(row) for each in found for row in [getattr(each, name)] for x in row]
                       for name in ("scores", "lengths"))  # fmt: skip
    assert estimates["score_length_correlation"].value == pytest.approx(pearson(scores, lengths), abs=1e-12)
    for name, each in estimates.items():
        assert each.low <= each.value <= each.high or name == "calibration_error", name


def test_scores_that_are_chances_are_calibrated_and_larger_ones_too_sure() -> None:
    chance = [ScoredAnswers(number, [2.0, 0.0], [1, 2] if DICE.random() < 1 / (1 + exp(-2)) else [2, 1], [1, 1])
              for number in range(4000)]  # fmt: skip
    sure = [ScoredAnswers(each.prompt, [20.0, 0.0], each.ranks, [1, 1]) for each in chance]
    assert evaluate_ranking(chance).estimates["calibration_error"].value < 0.02
    assert evaluate_ranking(sure).estimates["calibration_error"].value == pytest.approx(1 / (1 + exp(2)), abs=0.02)


def test_rankings_of_one_prompt_count_as_one_and_order_changes_nothing() -> None:
    found = rankings(40)
    twice = evaluate_ranking([*found, *found]).estimates
    for name, once in evaluate_ranking(found).estimates.items():
        assert twice[name].value == pytest.approx(once.value), name
        assert twice[name].high - twice[name].low == pytest.approx(once.high - once.low, rel=0.02), name
    moved = [ScoredAnswers(e.prompt, e.scores[::-1], e.ranks[::-1], e.lengths[::-1]) for e in found]
    for name, once in evaluate_ranking(moved).estimates.items():
        assert once.value == pytest.approx(twice[name].value), name


def test_equal_scores_know_nothing() -> None:
    blank = [ScoredAnswers(e.prompt, [0.0] * len(e.ranks), e.ranks, e.lengths) for e in rankings(10)]
    estimates = evaluate_ranking(blank).estimates
    assert estimates["pair_accuracy"].value == 0.5 and estimates["kendall_tau_b"].value == 0
    assert estimates["calibration_error"].value == 0 and estimates["score_length_correlation"].value == 0
