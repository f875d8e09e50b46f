"""Whose part of a step's batch: the rows of one process among several, and the pieces it works on one by one.

Every process makes the whole batch, which is integers and cheap, and reads its rows only. A piece's loss is the sum of
its nats divided by the targets of the whole batch, so that all pieces of all processes add up to exactly the mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from gptwright.foundations.errors import ConfigError


@dataclass(frozen=True)
class BatchShard:
    """Process `rank` of `ranks` takes its rows in `micro_batches`: more need less memory and change no result."""

    rank: int = 0
    ranks: int = 1
    micro_batches: int = 1
    asked: list[int] = field(default_factory=list[int], compare=False, repr=False)
    """rows of the batches that were to be cut"""

    def slices(self, rows: int) -> Iterator[slice]:
        """The rows of each piece: consecutive, none empty, and as many pieces in every process.

        Where there are fewer rows than pieces, a piece is one row. Raises `ConfigError` when a process gets no row.
        """
        self.asked.append(rows)
        if rows < self.ranks:
            raise ConfigError(f"a row or more for each of the {self.ranks} processes", f"{rows} rows in a step",
                              "Raise the rows a step, or start fewer processes.")  # fmt: skip
        first, end = (rows * edge // self.ranks for edge in (self.rank, self.rank + 1))
        micro_batches = min(self.micro_batches, rows // self.ranks)
        cuts = [first + (end - first) * piece // micro_batches for piece in range(micro_batches + 1)]
        return (slice(*cut) for cut in pairwise(cuts))

    def with_more_micro_batches(self) -> "BatchShard | None":
        """The same rows in twice as many pieces; None when every piece that was asked for is one row already."""
        most = max(self.asked, default=0) // self.ranks
        return (
            replace(self, micro_batches=min(2 * self.micro_batches, most), asked=[])
            if self.micro_batches < most
            else None
        )


WHOLE = BatchShard()
