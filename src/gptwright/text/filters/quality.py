"""How like good text a text is: GPT-3's logistic regression over hashed words (Brown et al. 2020, appendix A).

A text is its words in small letters, each counted in one of `BUCKETS` by its hash, as a vector of length one, so that
its own length says nothing. The weights are the minimum of a convex function, so they depend on nothing but the texts.

There are two rows of weights, each learned from half of the texts, and a text is judged by the half that it is not of:
what was read as raw would otherwise be remembered as raw, however good it is.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.errors import ArtifactError
from gptwright.text.filters.words import plain_words
from gptwright.text.split import uniform_hash

BUCKETS = 2**18
STRENGTH = 10.0
"""of the loss beside the weights' squares: a few hundred texts are told apart, and no word decides alone"""
MOST_STEPS, MOST_DIRECTIONS = 50, 200
SMALL = 1e-7
FORMAT = "hashed-unigrams-2^18, halves"
Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]


def features(text: str) -> tuple[Places, Floats]:
    """The buckets that a text has words in, rising, and their counts as a vector of length one."""
    buckets, counts = np.unique(plain_words(text).hashes >> np.uint64(64 - 18), return_counts=True)
    length = float((counts * counts).sum()) ** 0.5
    return buckets.astype(np.intp), counts / max(length, 1.0)


@dataclass(frozen=True)
class QualityClassifier:
    """Weights (2, `BUCKETS` + 1), float32, the last of a row for every text; row h is learned from half h."""

    weights: Weights

    def score(self, text: str) -> float:
        """The chance that it is of the good texts, were there as many as of the others."""
        buckets, values = features(text)
        weights = self.weights[1 - half_of(text)]
        return float(_sigmoid((weights[buckets] * values).sum() + weights[-1]))

    @cached_property
    def sha256(self) -> str:
        """Of the weights."""
        return hashlib.sha256(self.weights.astype("<f4").tobytes()).hexdigest()

    def save(self, path: Path) -> None:
        """Writes one .safetensors file."""
        write_file(path, lambda new: save_file({"weights": self.weights}, new, {"format": FORMAT}))

    @classmethod
    def load(cls, path: Path) -> "QualityClassifier":
        """Raises `ArtifactError` when the file holds no classifier."""
        try:
            with safe_open(path, "numpy") as file:
                weights = file.get_tensor("weights") if (file.metadata() or {}).get("format") == FORMAT else None
        except (SafetensorError, OSError) as error:
            raise _no_classifier(path, str(error)) from error
        if weights is None or weights.shape != (2, BUCKETS + 1) or not np.isfinite(weights).all():
            raise _no_classifier(path, "something else")
        return cls(weights)


def half_of(text: str) -> int:
    """0 or 1, as its hash says."""
    return int(uniform_hash(text, "half") * 2)


def learn_quality(good: Sequence[str], raw: Sequence[str]) -> QualityClassifier:
    """Tells good texts from raw ones; both sides weigh the same, however many they are.

    Raises `ValueError` when a half of a side has no words.
    """
    halves = [[[text for text in texts if half_of(text) == half] for texts in (good, raw)] for half in (0, 1)]
    return QualityClassifier(np.stack([_learn(*sides) for sides in halves]))


def _learn(good: Sequence[str], raw: Sequence[str]) -> Weights:
    counted = [[features(text) for text in texts] for texts in (good, raw)]
    sides = [[each for each in side if len(each[0])] for side in counted]
    if not all(sides):
        raise ValueError("texts without words")
    total = sum(map(len, sides))
    is_good = np.repeat([1.0, 0.0], [len(side) for side in sides])
    weight = np.repeat([total / (2 * len(side)) for side in sides], [len(side) for side in sides])
    return _minimise(_Rows.of([*sides[0], *sides[1]]), is_good, STRENGTH * weight)


@dataclass(frozen=True)
class _Rows:
    """A matrix of N texts by `BUCKETS` + 1, whose last column is one, by what is not zero in it."""

    buckets: Places
    values: Floats
    begin: Places
    lengths: Places

    @classmethod
    def of(cls, rows: Sequence[tuple[Places, Floats]]) -> "_Rows":
        lengths = np.array([len(buckets) for buckets, _ in rows])
        buckets, values = (np.concatenate(column) for column in zip(*rows, strict=True))
        return cls(buckets, values, np.cumsum(lengths) - lengths, lengths)

    def times(self, vector: Floats) -> Floats:
        return np.add.reduceat(self.values * vector[self.buckets], self.begin) + vector[-1]

    def transposed_times(self, vector: Floats) -> Floats:
        columns = np.bincount(self.buckets, self.values * np.repeat(vector, self.lengths), BUCKETS)
        return np.append(columns, vector.sum()).astype(np.float64)


def _minimise(rows: _Rows, is_good: Floats, weight: Floats) -> Weights:
    """Newton's method: the least of Σ weight · loss + |w|² / 2, in which the last weight has no square."""
    square = np.append(np.ones(BUCKETS), 0.0)
    found = np.zeros(BUCKETS + 1)
    first = None
    for _ in range(MOST_STEPS):
        chance = _sigmoid(rows.times(found))
        slope = rows.transposed_times(weight * (chance - is_good)) + square * found
        first = first or _norm(slope)
        if _norm(slope) <= SMALL * first:
            break
        curve = weight * chance * (1 - chance)

        def bend(vector: Floats, curve: Floats = curve) -> Floats:
            return rows.transposed_times(curve * rows.times(vector)) + square * vector

        found = _downhill(lambda at: _loss(rows, is_good, weight, square, at), found, _solve(bend, -slope))
    return found.astype(np.float32)


def _loss(rows: _Rows, is_good: Floats, weight: Floats, square: Floats, at: Floats) -> float:
    wrong = np.logaddexp(0, np.where(is_good > 0, -1.0, 1.0) * rows.times(at))
    return float((weight * wrong).sum() + (square * at * at).sum() / 2)


def _downhill(loss: Callable[[Floats], float], start: Floats, step: Floats) -> Floats:
    """The step, halved until the loss is not above that of the start."""
    before = loss(start)
    for _ in range(30):
        if loss(start + step) <= before:
            return start + step
        step = step / 2
    return start


def _solve(bend: Callable[[Floats], Floats], wanted: Floats) -> Floats:
    """By conjugate gradients; sums are numpy's own, whose order no number of threads changes."""
    found, rest = np.zeros_like(wanted), wanted
    direction, size = rest, float((rest * rest).sum())
    enough = 1e-6 * size
    for _ in range(MOST_DIRECTIONS):
        if size <= enough:
            break
        bent = bend(direction)
        step = size / float((direction * bent).sum())
        found, rest = found + step * direction, rest - step * bent
        size, last = float((rest * rest).sum()), size
        direction = rest + size / last * direction
    return found


def _norm(vector: Floats) -> float:
    return float((vector * vector).sum()) ** 0.5


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(x / 2))


def _no_classifier(path: Path, got: str) -> ArtifactError:
    return ArtifactError(f"the quality.safetensors of a run of prepare at {path}", got, "Give another file.")
