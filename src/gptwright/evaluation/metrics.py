"""How well answers agree with the truth: of classes, of numbers, of two models on the same examples.

Plain functions on sequences of equal length. Where a figure is not defined, such as a correlation with a constant, it
is 0, as GLUE's scores have it.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import chain
from math import comb, erfc, sqrt
from typing import NamedTuple, TypeVar

import numpy as np

from gptwright.training.evaluation import Estimate

T = TypeVar("T")
DRAWS = 1000
BINS = 10


def accuracy(truth: Sequence[Hashable], found: Sequence[Hashable]) -> float:
    """Share of answers that are the true ones."""
    return sum(t == f for t, f in zip(truth, found, strict=True)) / max(len(truth), 1)


def f1(truth: Sequence[Hashable], found: Sequence[Hashable], positive: Hashable) -> float:
    """Harmonic mean of precision and recall of one class: 2 hits / (times it is true + times it is found)."""
    return _Confusion(truth, found).f1(positive)


def macro_f1(truth: Sequence[Hashable], found: Sequence[Hashable]) -> float:
    """The mean F1 of all classes that are true or found anywhere."""
    seen = _Confusion(truth, found)
    return sum(map(seen.f1, seen.classes)) / max(len(seen.classes), 1)


def label_macro_f1(truth: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> float:
    """Of answers that are 1 or 0 for each of the same labels: the mean F1 of the labels."""
    columns = [f1(t, f, 1) for t, f in zip(zip(*truth, strict=True), zip(*found, strict=True), strict=True)]
    return sum(columns) / max(len(columns), 1)


def label_micro_f1(truth: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> float:
    """The same, all labels counted together."""
    return f1(list(chain.from_iterable(truth)), list(chain.from_iterable(found)), 1)


class Threshold(NamedTuple):
    """From which probability on a label is said, and its F1 then."""

    threshold: float
    f1: float


def best_threshold(truth: Sequence[float], sure: Sequence[float]) -> Threshold:
    """The threshold of highest F1, by whether the label is true and its probability: half-way between two of them.

    Of several as good the one nearest to 1/2; F1 is 0 where the label is never true.
    """
    p, true = np.asarray(sure, float), np.asarray(truth, bool)
    falling = np.argsort(-p, kind="stable")
    p, hits = p[falling], true[falling].cumsum()
    scores = 2 * hits / (np.arange(1, len(hits) + 1) + true.sum())
    below = np.append(p[1:], 0.0)
    last = np.append(p[1:] < p[:-1], True)  # of equal probabilities all are said or none
    found = [Threshold(float(p[at] + below[at]) / 2, float(scores[at])) for at in np.flatnonzero(last)]
    return max(found, key=lambda each: (each.f1, -abs(each.threshold - 0.5)))


def matthews(truth: Sequence[Hashable], found: Sequence[Hashable]) -> float:
    """Matthews correlation, for any number of classes (Gorodkin 2004, R_K)."""
    seen, count = _Confusion(truth, found), len(truth)
    shared = sum(count * seen.pairs[c, c] - seen.true[c] * seen.said[c] for c in seen.classes)
    spread = (count**2 - sum(n * n for n in seen.true.values())) * (count**2 - sum(n * n for n in seen.said.values()))
    return shared / sqrt(spread) if spread else 0.0


class _Confusion:
    """How often each class is true, is said, and both together."""

    def __init__(self, truth: Sequence[Hashable], found: Sequence[Hashable]) -> None:
        self.pairs = Counter(zip(truth, found, strict=True))
        self.true, self.said = Counter(truth), Counter(found)
        self.classes = list(self.true | self.said)

    def f1(self, positive: Hashable) -> float:
        named = self.true[positive] + self.said[positive]
        return 2 * self.pairs[positive, positive] / named if named else 0.0


def pearson(truth: Sequence[float], found: Sequence[float]) -> float:
    """Linear correlation of numbers."""
    x, y = (np.asarray(values, float) - np.mean(values) for values in (truth, found))
    spread = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / spread if spread else 0.0


def spearman(truth: Sequence[float], found: Sequence[float]) -> float:
    """Correlation of the ranks; equal numbers share the mean of their ranks."""
    return pearson(_ranks(truth), _ranks(found))


def bootstrap(
    figure: Callable[[Sequence[T], Sequence[T]], float], truth: Sequence[T], found: Sequence[T], seed: int = 0
) -> Estimate:
    """A figure with the interval that holds it in 95 of 100 samples drawn anew, with replacement, from the examples."""
    rows = np.random.default_rng(seed).integers(0, len(truth), (DRAWS, len(truth))) if truth else np.zeros((0, 0), int)
    drawn = [figure([truth[i] for i in row], [found[i] for i in row]) for row in rows]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (0.0, 0.0)
    return Estimate(figure(truth, found), float(low), float(high), len(truth))


def paired_bootstrap(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Estimate:
    """Mean of first - second, scores of two models on the same examples, which are drawn anew together."""
    gains = np.asarray(first, float) - np.asarray(second, float)
    rows = np.random.default_rng(seed).integers(0, len(gains), (DRAWS, len(gains)))
    low, high = np.percentile(gains[rows].mean(1), [2.5, 97.5])
    return Estimate(float(gains.mean()), float(low), float(high), len(gains))


def bootstrap_sums(figure: Callable[[np.ndarray], np.ndarray], sums: np.ndarray, seed: int = 0) -> Estimate:
    """A figure of sums over groups, such as prompts, with the interval that holds it when whole groups are drawn anew.

    `sums` is (groups, parts); `figure` takes (draws, parts), each row a total, and gives a number for each.
    """
    groups = len(sums)
    drawn = np.random.default_rng(seed).multinomial(groups, [1 / groups] * groups, size=DRAWS)
    low, high = np.percentile(figure(drawn @ sums), [2.5, 97.5])
    return Estimate(float(figure(sums.sum(0, keepdims=True))[0]), float(low), float(high), groups)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """The chance that two models of equal accuracy differ on the same examples as much as these (exact, two-sided)."""
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    differing, fewer = only_first + only_second, min(only_first, only_second)
    if differing > 1000:  # the normal form, with Edwards' correction: the exact one's numbers are beyond a float
        return erfc((abs(only_first - only_second) - 1) / sqrt(2 * differing))
    return min(1.0, 2 * sum(comb(differing, k) for k in range(fewer + 1)) / 2**differing)


def calibration_error(sure: Sequence[float], right: Sequence[float], bins: int = BINS) -> float:
    """Expected calibration error (Guo et al. 2017): how far, on the average, probabilities are from shares of hits.

    `sure` are the probabilities of the answers given, `right` says which were true; equal bins of (0, 1].
    """
    p, hits = np.asarray(sure, float), np.asarray(right, float)
    place = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
    return sum(abs(float((p - hits)[place == each].sum())) for each in range(bins)) / max(len(p), 1)


def _ranks(values: Sequence[float]) -> Sequence[float]:
    """Counted from 0, the mean rank for equal numbers."""
    _, place, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place].tolist()
