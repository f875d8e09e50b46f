"""One shape for all that a model is trained on: batches, a loss that comes in parts, and an evaluation.

Pretraining, fine-tuning, reward models and the text that PPO mixes in are tasks; `train_steps` trains on any of them.
A task is a pure function of its data, its seed and the step, so that a stopped run goes on as if it had not stopped.
"""

from collections.abc import Iterator
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

from gptwright.training.batch_shard import BatchShard
from gptwright.training.evaluation import Evaluation


@runtime_checkable
class Batch(Protocol):
    """Examples of one step, not yet on the device."""

    @property
    def rows(self) -> int:
        """Examples in it, of its largest part where it has several: micro-batches have one row at least."""
        ...


B = TypeVar("B", bound=Batch)


@runtime_checkable
class Task(Protocol[B]):
    """What is learned, from what, and how well by now."""

    def batch(self, step: int) -> B:
        """The examples of the step, counted from 0, the same in every process."""
        ...

    def loss(self, batch: B, shard: BatchShard) -> Iterator[Tensor]:
        """One scalar for each micro-batch of this process's shard; those of all shards add up to the batch's mean."""
        ...

    def evaluate(self, step: int) -> Evaluation:
        """Metrics on held-out data after so many steps, and samples of what the model does."""
        ...
