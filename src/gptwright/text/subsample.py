"""Taking the first so many characters, evenly from all files: the next document comes from the one that gave least."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from gptwright.text.dedup import MIN_DOCUMENT
from gptwright.text.pipeline import Refined
from gptwright.text.split import Split

SHORT = 2_000
BEYOND = "beyond max_characters"
T = TypeVar("T")
SideOf = Callable[[Refined], Split]
Drop = Callable[[Refined], None]


def evenly(streams: Sequence[Iterator[T]], taken: Mapping[int, int]) -> Iterator[tuple[int, T]]:
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


def first(
    streams: Sequence[Iterator[Refined]], room: Mapping[Split, int], side_of: SideOf, drop: Drop
) -> Iterator[tuple[Refined, Split]]:
    """Fills the training side's room, then the held-out side's (in characters).

    A document longer than its file's even share, or than the room that is left, is cut to it. `drop` is told of every
    document that was read and found no room. Files are read no further than needed.
    """
    files = [_File(stream, side_of, drop) for stream in streams]
    for refined in _fill([file.training() for file in files], room["train"]):
        yield refined, "train"
    for refined in _fill([file.heldout() for file in files], room["heldout"]):
        yield refined, "heldout"
    for file in files:
        for refined in file.waiting:
            drop(refined)


def _fill(streams: Sequence[Iterator[Refined]], room: int) -> Iterator[Refined]:
    # One chapter of a novel must not take the room of all other sources.
    longest = max(room // max(len(streams), 1), SHORT)
    taken = Counter[int]()
    for number, refined in evenly(streams, taken):
        refined = refined.shortened(min(room, longest), BEYOND)
        taken[number] += len(refined.document.text)
        room -= len(refined.document.text)
        yield refined
        if room < MIN_DOCUMENT:
            return


class _File:
    """One file's documents, each side for itself; held-out ones wait while training ones are asked for."""

    def __init__(self, documents: Iterator[Refined], side_of: SideOf, drop: Drop) -> None:
        self._documents, self._side_of, self._drop = documents, side_of, drop
        self.waiting: deque[Refined] = deque()

    def training(self) -> Iterator[Refined]:
        for refined in self._documents:
            if self._side_of(refined) == "train":
                yield refined
            else:
                self.waiting.append(refined)

    def heldout(self) -> Iterator[Refined]:
        while self.waiting:
            yield self.waiting.popleft()
        for refined in self._documents:
            if self._side_of(refined) == "heldout":
                yield refined
            else:
                self._drop(refined)
