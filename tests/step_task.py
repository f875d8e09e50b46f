"""A task whose loss is a function of the step, for tests of what goes on around it."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor

from gptwright.training.batch_shard import BatchShard
from gptwright.training.evaluation import Evaluation


class StepBatch(NamedTuple):
    step: int
    rows: int


class StepTask:
    """`loss_of(step, shard)` is the loss of the batch of `rows` examples at a step."""

    def __init__(self, loss_of: Callable[[int, BatchShard], Iterator[Tensor]], rows: int = 1) -> None:
        self.loss_of, self.rows = loss_of, rows

    def batch(self, step: int) -> StepBatch:
        return StepBatch(step, self.rows)

    def loss(self, batch: StepBatch, shard: BatchShard) -> Iterator[Tensor]:
        return self.loss_of(batch.step, shard)

    def evaluate(self, step: int) -> Evaluation:
        return Evaluation()
