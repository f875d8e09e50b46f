"""Where a run stands besides its weights: steps done, gradients not believed, batches passed over, micro-batches.

All of it is saved with every checkpoint, so that a run that was killed decides as one that was not. A gradient that is
not finite, or far longer than usual, is not taken (as in OLMo-core, but against a median, which one outlier cannot
move). When several in a row are not, the run goes back to a checkpoint and passes over the batches that came since
(Chowdhery et al. 2022, §5.1): the batch of a step is
`done + skipped_batches`, still a pure function of what is saved.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, cast

LAST, ENOUGH = 128, 64  # norms that are remembered, and how many tell what is usual: the first steps are unlike others
FACTOR = 20.0  # times the usual norm; healthy runs stay below 9
PATIENCE = 5  # bad steps in a row before going back
ROLLBACKS = 3  # without getting further, before giving up
RENAMED = {"passed": "skipped_batches", "pieces": "micro_batches"}  # what 0.1 called them in "course"


@dataclass
class TrainState:
    """Plain numbers: a table of JSON holds it whole."""

    done: int = 0
    """steps"""
    skipped_batches: int = 0
    """batches that were passed over"""
    micro_batches: int = 1
    """of a step's batch, worked on one after the other"""
    bad: int = 0
    """steps in a row whose gradient was not taken"""
    rollbacks: int = 0
    """since the run last got further than before"""
    furthest: int = 0
    """step from which it last went back"""
    norms: list[float] = field(default_factory=list[float])
    """of the last gradients that were taken"""

    def steps(self, last: int) -> Iterator[int]:
        """Numbers of the steps to do, counted from 0, up to `last`; after `back_to` they are those from there on."""
        while self.done < last:
            self.done += 1
            yield self.done - 1

    def limit(self, clip: float) -> float:
        """The norm from which a gradient is not believed. Below `clip` none is large: it is taken as it is."""
        return FACTOR * max(median(self.norms), clip) if len(self.norms) >= ENOUGH else float("inf")

    def record_norm(self, norm: float, limit: float) -> None:
        """Remembers a gradient's norm; `limit` is what it was held against."""
        if not norm < limit:
            self.bad += 1
            return
        self.norms = [*self.norms, norm][-LAST:]
        self.bad = 0
        if self.done > self.furthest:
            self.rollbacks = 0

    def back_to(self, saved: "TrainState") -> None:
        """Goes on from `saved`, past all batches that were read since."""
        self.skipped_batches += self.done - saved.done
        self.furthest = max(self.furthest, self.done)
        self.rollbacks += 1
        self.done, self.norms, self.bad = saved.done, saved.norms, 0


def take_train_state(saved: dict[str, object]) -> TrainState:
    """Takes it out of the state that a checkpoint holds."""
    table = cast("dict[str, Any]", saved.pop("course" if "course" in saved else "train_state"))
    return TrainState(**{RENAMED.get(name, name): value for name, value in table.items()})
