"""Taking the first so many characters, evenly from all files: the next document comes from the one that gave least."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from gptwright.text.dedup import MIN_DOCUMENT
from gptwright.text.pipeline import CleanedDocument
from gptwright.text.split import Split

SHORT = 2_000
BEYOND = "beyond max_characters"
T = TypeVar("T")
SplitOf = Callable[[CleanedDocument], Split]
Drop = Callable[[CleanedDocument], None]


def interleave(streams: Sequence[Iterator[T]], taken: Mapping[int, int]) -> Iterator[tuple[int, T]]:
    """Items with the number of their stream, until all streams end.

    `taken` says how much was taken of each stream; its owner brings it up to date after every item.
    """
    waiting = [(taken.get(number, 0), number) for number in range(len(streams))]
    while waiting:
        _, number = heapq.heappop(waiting)
        for item in streams[number]:
            yield number, item
            heapq.heappush(waiting, (taken.get(number, 0), number))
            break


def subsample(
    streams: Sequence[Iterator[CleanedDocument]], room: Mapping[Split, int], split_of: SplitOf, drop: Drop
) -> Iterator[tuple[CleanedDocument, Split]]:
    """Fills the room of the training split, then that of the held-out one (in characters).

    A document longer than its file's even part, or than the room that is left, is cut to it. `drop` is told of every
    document that was read and found no room. Files are read no further than needed.
    """
    files = [_File(stream, split_of, drop) for stream in streams]
    for cleaned in _fill([file.training() for file in files], room["train"]):
        yield cleaned, "train"
    for cleaned in _fill([file.heldout() for file in files], room["heldout"]):
        yield cleaned, "heldout"
    for file in files:
        for cleaned in file.waiting:
            drop(cleaned)


def _fill(streams: Sequence[Iterator[CleanedDocument]], room: int) -> Iterator[CleanedDocument]:
    # One chapter of a novel must not take the room of all other sources.
    longest = max(room // max(len(streams), 1), SHORT)
    taken = Counter[int]()
    for number, cleaned in interleave(streams, taken):
        cleaned = cleaned.shortened(min(room, longest), BEYOND)
        taken[number] += len(cleaned.document.text)
        room -= len(cleaned.document.text)
        yield cleaned
        if room < MIN_DOCUMENT:
            return


class _File:
    """One file's documents, each split for itself; held-out ones wait while training ones are asked for."""

    def __init__(self, documents: Iterator[CleanedDocument], split_of: SplitOf, drop: Drop) -> None:
        self._documents, self._split_of, self._drop = documents, split_of, drop
        self.waiting: deque[CleanedDocument] = deque()

    def training(self) -> Iterator[CleanedDocument]:
        for cleaned in self._documents:
            if self._split_of(cleaned) == "train":
                yield cleaned
            else:
                self.waiting.append(cleaned)

    def heldout(self) -> Iterator[CleanedDocument]:
        while self.waiting:
            yield self.waiting.popleft()
        for cleaned in self._documents:
            if self._split_of(cleaned) == "heldout":
                yield cleaned
            else:
                self._drop(cleaned)
