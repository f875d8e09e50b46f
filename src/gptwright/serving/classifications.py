"""Texts that are read and not answered, those of all requests side by side: so many a step, of each its share. A
classifier gives their labels' probabilities, a model that writes their embeddings.

So a request of one text waits for a step or two, however many texts another has.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 32
"""texts a step"""
Classified = tuple[int, list[float]]
"""a text's number in its request, and the numbers that were found of it"""


class Classification:
    """One request's rows of ids, and what was found of them."""

    def __init__(self, rows: Sequence[Sequence[int]], running: "list[Classification]") -> None:
        self.rows, self._running = rows, running
        self.found: list[Classified] = []
        self._taken = self._told = 0
        running.append(self)

    @property
    def waits(self) -> bool:
        """Whether there are rows that no step has taken."""
        return self._taken < len(self.rows)

    def take(self, most: int) -> range:
        """The numbers of the next rows, of `most` at most."""
        first, self._taken = self._taken, min(self._taken + most, len(self.rows))
        return range(first, self._taken)

    @property
    def done(self) -> bool:
        """Whether everything was told."""
        return self._told == len(self.rows)

    def next(self) -> Sequence[Classified]:
        """What was found since the last time."""
        new = self.found[self._told :]
        self._told = len(self.found)
        return new

    def close(self) -> None:
        """No more is read."""
        self._running.remove(self)


class ClassificationBatches:
    """What a worker's thread runs: `open` lets a request in, `step` lets `read` read rows of all that are in."""

    def __init__(self, read: "Callable[[Sequence[Sequence[int]]], Tensor]") -> None:
        self.read = read
        self._running: list[Classification] = []

    def open(self, rows: Sequence[Sequence[int]]) -> Classification:
        """A request, whose rows the next steps read."""
        return Classification(rows, self._running)

    def step(self) -> None:
        """Reads one batch; requests that came first are let in first where they are more than its rows."""
        waiting = [request for request in self._running if request.waits][:ROWS]
        if not waiting:
            return
        taken = [(request, number) for request in waiting for number in request.take(ROWS // len(waiting))]
        found = self.read([request.rows[number] for request, number in taken])
        for (request, number), numbers in zip(taken, found.tolist(), strict=True):
            request.found.append((number, numbers))
