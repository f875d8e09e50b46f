"""Texts that are almost the same: found by MinHash and locality-sensitive hashing, and confirmed by counting.

A text is the set of its runs of `WORDS` words (Broder 1997). Two whose sets are alike by a share J (Jaccard) meet in
one of the bands with a chance of 1 - (1 - J^rows)^bands; who meets is compared exactly, so that no text is dropped by
chance.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from gptwright.foundations.errors import ConfigError

WORDS = 5
BANDS, ROWS = 32, 4
"""at a likeness of 0.8 all but one in ten million pairs meet, at 0.4 half"""
WORD = re.compile(r"\w+|[^\w\s]")


def shingles(text: str) -> set[str]:
    """Its runs of `WORDS` words and signs; a shorter text is one run."""
    words = WORD.findall(text)
    return {" ".join(words[i : i + WORDS]) for i in range(max(len(words) - WORDS + 1, 1))}


def jaccard(one: set[str], other: set[str]) -> float:
    """The share of all runs that both have."""
    return len(one & other) / len(one | other)


def near_duplicates(texts: Sequence[str], threshold: float = 0.8, seed: int = 1) -> dict[int, int]:
    """Of each text that is as like an earlier one as `threshold`, its place and that of the earlier one, which stays.

    Raises `ConfigError` when rensa is not installed.
    """
    sets = [shingles(text) for text in texts]
    buckets: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(list)
    found: dict[int, int] = {}
    for place, runs in enumerate(sets):
        digest = _minhash(runs, seed)
        bands = [(band, tuple(digest[band * ROWS : (band + 1) * ROWS])) for band in range(BANDS)]
        met = sorted({other for band in bands for other in buckets[band]})
        like = next((other for other in met if jaccard(sets[other], runs) >= threshold), None)
        if like is not None:
            found[place] = like
            continue
        for band in bands:
            buckets[band].append(place)
    return found


def _minhash(runs: Iterable[str], seed: int) -> list[int]:
    try:
        library: Any = import_module("rensa")
    except ImportError as error:
        raise ConfigError("rensa, which finds near-duplicates", "an installation without it",
                          "pip install 'gptwright[corpus]'") from error  # fmt: skip
    sketch = library.RMinHash(num_perm=BANDS * ROWS, seed=seed)
    sketch.update(sorted(runs))
    return sketch.digest()
