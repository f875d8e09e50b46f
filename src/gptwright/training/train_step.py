"""The one training loop: a task in, steps out."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gptwright.foundations.errors import MemoryShort, out_of_memory
from gptwright.foundations.progress import say
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import Schedule
from gptwright.training.task import B, Task
from gptwright.training.train_state import TrainState


@dataclass(frozen=True)
class Step:
    """What happened in one step. `number` counts from 1: after step n, n steps are done."""

    number: int
    loss: float
    gradient_norm: float
    rate: float
    seconds: float

    @property
    def metrics(self) -> dict[str, float]:
        """What every stage logs of it."""
        return {"loss_nats": self.loss, "gradient_norm": self.gradient_norm, "learning_rate": self.rate}


def train_steps(
    task: Task[B],
    optimizer: Optimizer,
    rate: Schedule,
    train_state: TrainState,
    *,
    steps: int,
    clip: float = 1.0,
    shard: BatchShard = WHOLE,
) -> Iterator[Step]:
    """Does the steps that `train_state` has still to do up to `steps`, and yields each when it is done.

    Each part of the loss is freed before the next is computed, so a large batch needs the memory of one micro-batch.
    """
    for number in train_state.steps(steps):
        start = time.perf_counter()
        batch = task.batch(number + train_state.skipped_batches)
        loss = add_gradients(optimizer, task.loss, batch, train_state, shard)
        # On its way while the norm is computed, which is all that a step waits for.
        loss = optimizer.layout.world.total(loss).to("cpu", non_blocking=True)
        norm = take_step(optimizer, rate(number), train_state, clip)
        yield Step(number + 1, float(loss), norm, rate(number), time.perf_counter() - start)


def take_step(optimizer: Optimizer, rate: float, train_state: TrainState, clip: float = 1.0) -> float:
    """Changes the parameters, unless the gradient is not finite or far longer than usual; returns its norm."""
    limit = train_state.limit(clip)
    norm = optimizer.step(rate, clip, limit)
    train_state.record_norm(norm, limit)
    return norm


def add_gradients(
    optimizer: Optimizer,
    loss: Callable[[B, BatchShard], Iterable[Tensor]],
    batch: B,
    train_state: TrainState,
    shard: BatchShard = WHOLE,
) -> Tensor:
    """Adds up the gradients of all parts and returns the loss of this shard, without waiting for the device.

    When the memory does not suffice, what was added is dropped and the same batch done in twice as many micro-batches,
    as are all that follow. Raises `MemoryShort` when each has one row, or other processes wait for this one's part.
    """
    while True:
        mine = replace(shard, micro_batches=train_state.micro_batches)
        try:
            return _backward(loss(batch, mine))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # Not inside `except`: the error holds the failed attempt's tensors.
        optimizer.forget_gradients()
        smaller = mine.with_more_micro_batches(batch.rows)
        if smaller is None:
            raise MemoryShort("memory for one row of a batch", "less than that",
                                "Lower the length or the model's width, or end other programs.")  # fmt: skip
        if shard.ranks > 1:
            raise MemoryShort("memory for a process's rows of a batch", "less than that",
                                f"Begin with --micro-batches {smaller.micro_batches}.")  # fmt: skip
        train_state.micro_batches = smaller.micro_batches
        say(f"out of memory: from here on a batch is worked on in {train_state.micro_batches} micro-batches")


def _backward(parts: Iterable[Tensor]) -> Tensor:
    total = torch.zeros(())
    for part in parts:
        part.backward()
        total = part.detach() + total.to(part.device)
    return total
