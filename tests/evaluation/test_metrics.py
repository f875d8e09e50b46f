"""Figures by hand, and equal to those of scikit-learn and SciPy."""

from math import sqrt

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gptwright.evaluation import metrics
from gptwright.training.evaluation import Estimate

RANDOM = np.random.default_rng(7)
THREE = [list(map(int, RANDOM.integers(0, 3, 60))) for _ in range(2)]
TWO = [list(map(int, RANDOM.random(60) < p)) for p in (0.3, 0.4)]
NUMBERS = [list(map(float, RANDOM.integers(0, 9, 50))) for _ in range(2)]


def test_figures_by_hand() -> None:
    truth, found = ["a", "a", "b", "b", "b"], ["a", "b", "b", "b", "a"]
    assert metrics.accuracy(truth, found) == 3 / 5
    assert metrics.f1(truth, found, "b") == 2 * 2 / (3 + 3)
    assert metrics.macro_f1(truth, found) == pytest.approx((2 * 2 / 6 + 2 * 1 / 4) / 2)
    assert metrics.matthews(truth, found) == pytest.approx((2 * 1 - 1 * 1) / sqrt(3 * 3 * 2 * 2))
    assert metrics.pearson([1, 2, 3], [1, 2, 4]) == pytest.approx(3 / sqrt(2 * 14 / 3))
    assert metrics.spearman([1, 2, 3], [10, 20, 21]) == pytest.approx(1.0)


@pytest.mark.parametrize("pair", [THREE, TWO])
def test_classes_as_scikit_learn_has_them(pair: list[list[int]]) -> None:
    truth, found = pair
    assert metrics.accuracy(truth, found) == pytest.approx(sklearn.metrics.accuracy_score(truth, found))
    assert metrics.macro_f1(truth, found) == pytest.approx(sklearn.metrics.f1_score(truth, found, average="macro"))
    assert metrics.matthews(truth, found) == pytest.approx(sklearn.metrics.matthews_corrcoef(truth, found))
    each = sklearn.metrics.f1_score(truth, found, average=None)
    assert [metrics.f1(truth, found, c) for c in sorted(set(truth))] == pytest.approx(list(each))


def test_correlations_as_scipy_has_them() -> None:
    assert metrics.pearson(*NUMBERS) == pytest.approx(stats.pearsonr(*NUMBERS).statistic)
    assert metrics.spearman(*NUMBERS) == pytest.approx(stats.spearmanr(*NUMBERS).statistic)


def test_the_bootstrap_agrees_with_scipys() -> None:
    found = metrics.bootstrap(metrics.pearson, *NUMBERS)
    theirs = stats.bootstrap(
        NUMBERS,
        lambda x, y: metrics.pearson(x.tolist(), y.tolist()),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=1000,
        rng=1,
    ).confidence_interval
    assert (found.value, found.count) == (metrics.pearson(*NUMBERS), 50)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)
    assert found == metrics.bootstrap(metrics.pearson, *NUMBERS), "the same seed gives the same interval"


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 9), (20, 20), (40, 61), (700, 600)])
def test_mcnemar_is_the_exact_sign_test(first: int, second: int) -> None:
    one = [True] * first + [False] * second + [True] * 5
    other = [False] * first + [True] * second + [True] * 5
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert metrics.mcnemar(one, other) == pytest.approx(expected, rel=0.01)


def test_a_gain_on_the_same_examples() -> None:
    found = metrics.paired_bootstrap([1, 1, 1, 0] * 20, [1, 0, 1, 0] * 20)
    assert found.value == 0.25 and found.count == 80
    assert 0.15 < found.low < 0.25 < found.high < 0.36
    assert metrics.paired_bootstrap([1, 0], [0, -1]) == Estimate(1.0, 1.0, 1.0, 2)


def test_calibration_by_hand() -> None:
    sure, right = [0.9, 0.8, 0.85, 0.55], [True, True, False, True]
    # bins (0.8, 0.9], (0.7, 0.8] and (0.5, 0.6]
    assert metrics.calibration_error(sure, right) == pytest.approx((abs(0.9 + 0.85 - 1) + 0.2 + 0.45) / 4)
    assert metrics.calibration_error([1.0, 1.0], [True, True]) == 0.0


def test_what_is_not_defined_is_nothing() -> None:
    assert metrics.pearson([1, 1], [1, 2]) == metrics.spearman([1, 2], [3, 3]) == 0.0
    assert metrics.matthews(["a", "a"], ["a", "a"]) == metrics.f1(["a"], ["a"], "b") == 0.0
    assert metrics.accuracy([], []) == metrics.macro_f1([], []) == metrics.calibration_error([], []) == 0.0
    assert metrics.bootstrap(metrics.accuracy, [], []) == Estimate(0.0, 0.0, 0.0, 0)
    with pytest.raises(ValueError, match="shorter"):
        metrics.accuracy(["a"], [])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=30))
def test_the_best_threshold_is_scikit_learns(rows: list[tuple[bool, int]]) -> None:
    truth, sure = [row[0] for row in rows], [row[1] / 20 for row in rows]
    found = metrics.best_threshold(truth, sure)
    if not any(truth):
        assert found.f1 == 0.0
        return
    scores = [sklearn.metrics.f1_score(truth, [p >= each for p in sure], zero_division=0) for each in sure]
    assert found.f1 == pytest.approx(max(scores))
    assert found.f1 == pytest.approx(metrics.f1(truth, [p >= found.threshold for p in sure], True))


def test_a_threshold_lies_half_way_and_near_one_half() -> None:
    assert metrics.best_threshold([True, False], [0.75, 0.25]) == (0.5, 1.0)
    assert metrics.best_threshold([True, False, True], [0.9, 0.6, 0.1]).f1 == pytest.approx(0.8)


def test_labels_of_which_several_are_true_are_scikit_learns() -> None:
    truth, found = [(1, 0, 1), (0, 0, 0), (1, 1, 0)], [(1, 0, 0), (0, 1, 0), (1, 1, 0)]
    macro, micro = (
        sklearn.metrics.f1_score(truth, found, average=each, zero_division=0) for each in ("macro", "micro")
    )
    assert metrics.label_macro_f1(truth, found) == pytest.approx(macro)
    assert metrics.label_micro_f1(truth, found) == pytest.approx(micro)
