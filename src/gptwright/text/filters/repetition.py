"""How much a text repeats itself, by runs of its words (Rae et al. 2021, table A1), as shares of its characters.

Of the runs of 2, 3 and 4 words the most frequent one counts, of those of 5 to 10 all that were there before, none of
them overlapping. A run of n + 1 words can only be there twice where its first n are, so that each length looks only at
the places that the shorter one left.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gptwright.text.filters.words import Hashes, Places, Words

TOP, REPEATED = range(2, 5), range(5, 11)
_STEP = np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True)
class _Runs:
    """Runs of `size` words, those that are there twice or more: where each begins, its hash, and its group's number."""

    size: int
    places: Places
    hashes: Hashes
    groups: Places


def repetition(words: Words, characters: int) -> dict[str, float]:
    """Its signals: `top_2_gram` to `top_4_gram` and `duplicate_5_grams` to `duplicate_10_grams`."""
    ends = np.zeros(len(words) + 1, np.intp)
    words.lengths.cumsum(out=ends[1:])
    runs = _Runs(1, np.arange(len(words)), words.hashes, np.zeros(0, np.intp))
    found: dict[str, float] = {}
    for size in (*TOP, *REPEATED):
        runs = _longer(runs, words) if len(runs.places) else replace(runs, size=size)
        if size in TOP:
            found[f"top_{size}_gram"] = _top(runs, ends) / max(characters, 1)
        else:
            found[f"duplicate_{size}_grams"] = _repeated(runs, ends) / max(characters, 1)
    return found


def _longer(runs: _Runs, words: Words) -> _Runs:
    """Runs of one word more."""
    size = runs.size + 1
    fits = runs.places + size <= len(words)
    places = runs.places[fits]
    hashes = runs.hashes[fits] * _STEP + words.hashes[places + runs.size]
    order = hashes.argsort()
    ordered = hashes[order]
    is_again = np.zeros(len(order) + 1, np.bool_)
    is_again[1:-1] = ordered[1:] == ordered[:-1]
    groups = np.empty(len(order), np.intp)
    groups[order] = (~is_again[:-1]).cumsum()
    twice = np.empty(len(order), np.bool_)
    twice[order] = is_again[:-1] | is_again[1:]
    return _Runs(size, places[twice], hashes[twice], groups[twice])


def _top(runs: _Runs, ends: npt.NDArray[np.intp]) -> int:
    """The characters of the most frequent run, with the spaces in it, as often as it is there; the earliest of
    several."""
    size = runs.size
    if len(ends) <= size:
        return 0
    if not len(runs.places):
        return int(ends[size]) + size - 1
    counts = np.bincount(runs.groups)
    first = runs.places[(counts[runs.groups] == counts.max()).argmax()]
    return int(counts.max()) * int(ends[first + size] - ends[first] + size - 1)


def _repeated(runs: _Runs, ends: npt.NDArray[np.intp]) -> int:
    """The characters of runs that were there before; the search goes on behind each."""
    seen: set[int] = set()
    free, total = 0, 0
    if not len(runs.places):
        return 0
    for place, group in zip(runs.places.tolist(), runs.groups.tolist(), strict=True):
        if place < free:
            continue
        if group in seen:
            free = place + runs.size
            total += int(ends[free] - ends[place])
        else:
            seen.add(group)
    return total
