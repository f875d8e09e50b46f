"""Which rows of a step's batch a process works on, and how it splits them into micro-batches.

Every process makes the whole batch, which is integers and cheap, and reads its rows only. The loss of a micro-batch is
the sum of its nats divided by the targets of the whole batch, so that all of all processes add up to exactly the mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from gptwright.foundations.errors import ConfigError


@dataclass(frozen=True)
class BatchShard:
    """Process `rank` of `ranks` takes its rows in `micro_batches`: more need less memory and change no result."""

    rank: int = 0
    ranks: int = 1
    micro_batches: int = 1

    def check_rows(self, rows: int) -> None:
        """Raises `ConfigError` when a batch of so many rows has none for some process."""
        if rows < self.ranks:
            raise ConfigError(f"a row or more for each of the {self.ranks} processes", f"{rows} rows in a step",
                              "Raise the rows a step, or start fewer processes.")  # fmt: skip

    def slices(self, rows: int) -> Iterator[slice]:
        """The rows of each micro-batch: consecutive, none empty, and as many micro-batches in every process.

        Where there are fewer rows than micro-batches, each has one row. Raises as `check_rows` does.
        """
        self.check_rows(rows)
        first, end = (rows * edge // self.ranks for edge in (self.rank, self.rank + 1))
        micro_batches = min(self.micro_batches, rows // self.ranks)
        cuts = [first + (end - first) * number // micro_batches for number in range(micro_batches + 1)]
        return (slice(*cut) for cut in pairwise(cuts))

    def of_part(self, rows: int) -> "BatchShard | None":
        """For a part of a batch that has so many rows, of which a process may get none: then None."""
        if rows >= self.ranks:
            return self
        return replace(self, ranks=rows) if self.rank < rows else None

    def with_more_micro_batches(self, rows: int) -> "BatchShard | None":
        """The same rows in twice as many micro-batches; None when each of a batch of `rows` has one row already."""
        most = rows // self.ranks
        return replace(self, micro_batches=min(2 * self.micro_batches, most)) if self.micro_batches < most else None


WHOLE = BatchShard()
