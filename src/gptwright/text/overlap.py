"""Which stretches of a text stand word for word in a corpus of tokens: one pass over it, with no index to keep.

The index is over the text, which is short: all its runs of `LEAST` tokens. The corpus is read piece by piece; where
three tokens in a row are a run of the text, the match is followed to both ends. Memory does not grow with the corpus.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

LEAST = 3
"""tokens in a row: fewer are chance"""
PIECE = 2**20
"""tokens that are read at once"""
FOLLOWED = 4
"""places of the text at which a run that it repeats is looked for"""
PLACES = 8
"""of the corpus that are kept of each stretch"""

Numbers = npt.NDArray[np.int64]


class Tokens(Protocol):
    """A corpus of tokens, as `text.pack.TokenFile` is."""

    def __len__(self) -> int: ...

    def window(self, i: int, length: int) -> Numbers:
        """The `length` tokens from position `i`."""
        ...


@dataclass
class Overlap:
    """`length` tokens of the text from `start` on, that stand in the corpus so often (`count`)."""

    start: int
    length: int
    bits: float = 0.0
    """how unlikely they are to stand beside each other if tokens were drawn by how often the corpus has them"""
    count: int = 0
    places: list[int] = field(default_factory=list[int])
    """of the first few in the corpus"""


def overlaps(text: Sequence[int], corpus: Tokens) -> list[Overlap]:
    """The stretches of `text` that the corpus has and that are part of no longer one, the least likely first."""
    ids = np.asarray(text, dtype=np.int64)
    if len(ids) < LEAST or len(corpus) < LEAST:
        return []
    runs, known = _Runs(ids), np.zeros(int(ids.max()) + 1, dtype=bool)
    known[ids] = True
    found: dict[tuple[int, int], Overlap] = {}
    counts = np.zeros(len(known), dtype=np.int64)
    for first in range(0, len(corpus), PIECE):
        before = min(first, 1)
        piece = corpus.window(first - before, min(PIECE + before + len(ids), len(corpus) - first + before))
        own = piece[before : before + PIECE]
        counts += np.bincount(own[own < len(known)], minlength=len(known))
        for start, length, place in zip(*runs.matches(piece, known, before), strict=True):
            overlap = found.setdefault((start, length), Overlap(start, length))
            overlap.count += 1
            if len(overlap.places) < PLACES:
                overlap.places.append(first - before + place)
    surprise = np.log2(len(corpus) / np.maximum(counts, 1))[ids]
    for overlap in found.values():
        overlap.bits = float(surprise[overlap.start : overlap.start + overlap.length].sum())
    return sorted(_longest(list(found.values())), key=lambda each: (-each.bits, each.start))


class _Runs:
    """Where each run of `LEAST` tokens stands in the text."""

    def __init__(self, ids: Numbers) -> None:
        self.length = len(ids)
        self.base = int(ids.max()) + 1
        at: dict[int, list[int]] = {}
        for place, key in enumerate(self._keys(ids).tolist()):
            at.setdefault(key, []).append(place)
        self.keys = np.array(sorted(at), dtype=np.int64)
        self.places = [[at[key][turn] if turn < len(at[key]) else -1 for key in sorted(at)] for turn in range(FOLLOWED)]

    def _keys(self, ids: Numbers) -> Numbers:
        return (ids[:-2] * self.base + ids[1:-1]) * self.base + ids[2:]

    def matches(self, piece: Numbers, known: npt.NDArray[np.bool_], before: int) -> tuple[list[int], ...]:
        """Starts in the text, lengths, and places in the piece, of the stretches that begin in its first `PIECE` tokens
        behind the first `before`, of which each stretch is as long as it can be."""
        hit = (piece < self.base) & known[np.minimum(piece, self.base - 1)]
        place = np.flatnonzero(hit[:-2] & hit[1:-1] & hit[2:])
        keys = self._keys(piece)[place]
        slot = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        same = self.keys[slot] == keys
        place, slot = place[same], slot[same]
        pairs = [np.stack([np.array(turn)[slot], place]) for turn in self.places]
        start, place = np.concatenate(pairs, 1)
        start, place = start[start >= 0], place[start >= 0]
        order = np.lexsort((place, place - start))
        start, place = start[order], place[order]
        follows = np.zeros(len(start), dtype=bool)
        follows[1:] = (np.diff(place) == 1) & (np.diff(start) == 1)
        firsts = np.flatnonzero(~follows)
        lengths = np.diff(np.append(firsts, len(start))) + LEAST - 1
        start, place = start[firsts], place[firsts]
        mine = (place >= before) & (place < before + PIECE)
        return start[mine].tolist(), lengths[mine].tolist(), place[mine].tolist()


def _longest(found: Sequence[Overlap]) -> list[Overlap]:
    """Those that lie in no other: beginning where they do or before, the furthest reach is their own."""
    kept, reach = list[Overlap](), -1
    for each in sorted(found, key=lambda one: (one.start, -one.length)):
        if each.start + each.length > reach:
            kept.append(each)
            reach = each.start + each.length
    return kept
