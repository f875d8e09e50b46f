"""Texts that are almost the same: found by MinHash and locality-sensitive hashing, and confirmed by counting.

A text is the set of its runs of `WORDS` words (Broder 1997). Two whose sets are alike by a share J (Jaccard) meet in
one of the bands with a chance of 1 - (1 - J^rows)^bands; who meets is compared exactly, so that no text is dropped by
chance.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gptwright.text.filters.words import Hashes, mixed, split_words

WORDS = 5
HASHES = 128
RECALL = 0.99
"""of pairs that are as like as the threshold, the share that meets at least"""
Digest = npt.NDArray[np.uint32]
_STEP = np.uint64(0xBF58476D1CE4E5B9)
_BLOCK = 1024


def shingles(text: str) -> Hashes:
    """The hashes of its runs of `WORDS` words, each once, in rising order; a shorter text is one run."""
    words = split_words(text).hashes
    count = max(len(words) - WORDS + 1, 1)
    runs = np.zeros(count, np.uint64)
    for place in range(min(WORDS, len(words))):
        runs = runs * _STEP + words[place : place + count]
    return np.unique(mixed(runs))


def jaccard(one: Hashes, other: Hashes) -> float:
    """The share of all runs that both have."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def minhash(runs: Hashes) -> Digest:
    """The least of all runs in each of `HASHES` orders (H,), its upper 32 bits."""
    least = np.full(HASHES, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(runs), _BLOCK):
        some = (runs[start : start + _BLOCK, None] ^ _ORDERS[0]) * _ORDERS[1]
        np.minimum(least, some.min(0), out=least)
    return (least >> np.uint64(32)).astype(np.uint32)


_ORDERS = np.random.Generator(np.random.PCG64(20)).integers(0, 2**64, (2, HASHES), np.uint64) | np.uint64(1)


def banding(threshold: float) -> tuple[int, int]:
    """Bands and rows: as many rows as leave pairs at the threshold a chance of `RECALL` to meet, so that few others
    do."""
    fitting = [rows for rows in range(1, HASHES + 1) if chance_to_meet(threshold, HASHES // rows, rows) >= RECALL]
    rows = max(fitting, default=1)
    return HASHES // rows, rows


def chance_to_meet(likeness: float, bands: int, rows: int) -> float:
    """Of two texts that are so alike, to have one band in common."""
    return 1 - (1 - likeness**rows) ** bands


class NearDuplicates:
    """Remembers every text that was new: its bands in memory, the text itself in a file below `folder` without a name.

    Texts are numbered as they come. A context manager: the file is there as long as it is open.
    """

    def __init__(self, threshold: float, folder: Path | None = None) -> None:
        self.threshold = threshold
        self.bands, self.rows = banding(threshold)
        self._buckets: dict[int, int | tuple[int, ...]] = {}
        self._texts = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._ends = [0]

    def __enter__(self) -> "NearDuplicates":
        return self

    def __exit__(self, *error: object) -> None:
        self._texts.close()

    def earlier(self, text: str, digest: Digest | None = None) -> int | None:
        """The number of the first earlier text that this one is as like as the threshold; None when it is new, and
        then it has the next number. `digest` is its `minhash`, where that is known."""
        runs = shingles(text) if digest is None else None
        keys = self._keys(minhash(runs) if digest is None and runs is not None else digest)
        met = sorted({number for key in keys for number in _several(self._buckets.get(key, ()))})
        if met:
            runs = shingles(text) if runs is None else runs
            for number in met:
                if jaccard(shingles(self.text(number)), runs) >= self.threshold:
                    return number
        self._remember(text, keys)
        return None

    def text(self, number: int) -> str:
        """A text that was new."""
        begin, end = self._ends[number : number + 2]
        return os.pread(self._texts.fileno(), end - begin, begin).decode()

    def _remember(self, text: str, keys: list[int]) -> None:
        number, data = len(self._ends) - 1, text.encode()
        self._texts.write(data)
        self._texts.flush()
        self._ends.append(self._ends[-1] + len(data))
        for key in keys:
            there = self._buckets.get(key)
            self._buckets[key] = number if there is None else (*_several(there), number)

    def _keys(self, digest: Digest | None) -> list[int]:
        """A number for each band; equal bands of two texts have equal ones."""
        assert digest is not None
        rows = digest[: self.bands * self.rows].reshape(self.bands, self.rows).astype(np.uint64)
        keys = np.arange(self.bands, dtype=np.uint64)
        for row in rows.T:
            keys = mixed(keys * _STEP + row)
        return keys.tolist()


def _several(numbers: int | tuple[int, ...]) -> tuple[int, ...]:
    return (numbers,) if isinstance(numbers, int) else numbers
