"""Texts that are almost the same: found by MinHash and locality-sensitive hashing, and confirmed by counting.

A text is the set of its runs of `WORDS` words, letter case and signs aside (Broder 1997). Two whose sets are alike by a
share J (Jaccard) meet in one of the bands with a chance of 1 - (1 - J^rows)^bands; who meets is compared exactly, so
that no text is dropped by chance.
"""

import os
import tempfile
from collections import Counter
from heapq import nlargest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gptwright.text.disk_numbers import DiskNumbers
from gptwright.text.disk_table import MISSING, DiskTable, Keys, Values
from gptwright.text.filters.words import Hashes, mixed, plain_words, split_words

WORDS = 5
HASHES = 128
RECALL = 0.99
"""of pairs that are as like as the threshold, the share that meets at least"""
Digest = npt.NDArray[np.uint32]
_STEP = np.uint64(0xBF58476D1CE4E5B9)
_BLOCK = 2048


def shingles(text: str) -> Hashes:
    """The hashes of its runs of `WORDS` words, each once, in rising order."""
    return np.unique(_runs(text))


def _runs(text: str) -> Hashes:
    """A shorter text is one run; of a text that is all signs they are the words."""
    words = plain_words(text).hashes
    if not len(words):
        words = split_words(text).hashes
    count = max(len(words) - WORDS + 1, 1)
    runs = np.zeros(count, np.uint64)
    for place in range(min(WORDS, len(words))):
        runs = runs * _STEP + words[place : place + count]
    return mixed(runs)


def jaccard(one: Hashes, other: Hashes) -> float:
    """The share of all runs that both have."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def minhash(text: str) -> Digest:
    """The least of its runs, by 32 bits of their hashes, in each of `HASHES` orders (H,)."""
    runs = (_runs(text) >> np.uint64(32)).astype(np.uint32)
    least = np.full(HASHES, np.iinfo(np.uint32).max, np.uint32)
    room = np.empty((HASHES, min(len(runs), _BLOCK)), np.uint32)
    for start in range(0, len(runs), _BLOCK):
        some = runs[start : start + _BLOCK]
        ordered = np.bitwise_xor(some, _ORDERS[0], out=room[:, : len(some)])
        ordered *= _ORDERS[1]
        np.minimum(least, ordered.min(1), out=least)
    return least


_ORDERS = np.random.Generator(np.random.PCG64(20)).integers(0, 2**32, (2, HASHES, 1), np.uint32) | np.uint32(1)


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
    """Remembers every text that was new, in files below `folder` without names: its bands, the text itself, and how
    many were almost the same.

    Texts are numbered as they come. A context manager: the file is there as long as it is open.
    """

    def __init__(self, threshold: float, folder: Path | None = None) -> None:
        self.threshold = threshold
        self.bands, self.rows = banding(threshold)
        # The last text that had a band and, for each band of each text, the one that had it before.
        self._last = DiskTable(folder)
        self._before = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._texts = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._count = 0
        self._ends, self._alike = DiskNumbers(folder), DiskNumbers(folder)

    def __enter__(self) -> "NearDuplicates":
        return self

    def __exit__(self, *error: object) -> None:
        for file in (self._texts, self._before, self._ends, self._alike):
            file.close()

    def earlier(self, text: str, digest: Digest | None = None) -> int | None:
        """The number of the first earlier text that this one is as like as the threshold; None when it is new, and
        then it has the next number. `digest` is its `minhash`, where that is known."""
        keys = self._keys(minhash(text) if digest is None else digest)
        last = self._last.get(keys)
        met = self._met(last)
        if met:
            runs = shingles(text)
            for number in met:
                if jaccard(shingles(self.text(number)), runs) >= self.threshold:
                    self._alike[number] += 1
                    return number
        self._remember(text, keys, last)
        return None

    def text(self, number: int) -> str:
        """A text that was new."""
        begin, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._texts.fileno(), end - begin, begin).decode()

    def cluster_sizes(self) -> Counter[int]:
        """How many of the texts that were new have how many that are almost the same, those without left out."""
        sizes = Counter[int]()
        for _, counts in self._alike.pieces():
            sizes.update(counts[counts > 0].tolist())
        return sizes

    def largest_clusters(self, most: int) -> list[tuple[int, int]]:
        """(number of the text that was new, how many are almost the same), the most first, then the first."""
        found = list[tuple[int, int]]()
        for place, counts in self._alike.pieces():
            there = np.flatnonzero(counts)
            found += zip((there + place).tolist(), counts[there].tolist(), strict=True)
            found = nlargest(most, found, key=lambda cluster: (cluster[1], -cluster[0]))
        return found

    def _met(self, last: Values) -> list[int]:
        """The numbers of all texts that have a band in common with one whose bands these texts had last."""
        found = set[int]()
        for band in np.flatnonzero(last != MISSING).tolist():
            number = int(last[band])
            while number != MISSING:
                found.add(number)
                data = os.pread(self._before.fileno(), 4, 4 * (number * self.bands + band))
                number = int.from_bytes(data, "little", signed=True)
        return sorted(found)

    def _remember(self, text: str, keys: Keys, last: Values) -> None:
        number, data = self._count, text.encode()
        self._texts.write(data)
        self._texts.flush()
        self._ends[number + 1] = self._ends[number] + len(data)
        self._count += 1
        self._before.write(last.astype("<i4").tobytes())
        self._before.flush()
        self._last.put(keys, np.full(len(keys), number, np.int32))

    def _keys(self, digest: Digest) -> Keys:
        """A number for each band; equal bands of two texts have equal ones."""
        rows = digest[: self.bands * self.rows].reshape(self.bands, self.rows).astype(np.uint64)
        keys = np.arange(self.bands, dtype=np.uint64)
        for row in rows.T:
            keys = mixed(keys * _STEP + row)
        return keys
