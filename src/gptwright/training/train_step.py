"""The one inner loop: losses in, steps out."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from gptwright.foundations.errors import MemoryShort, out_of_memory
from gptwright.foundations.progress import say
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import Schedule
from gptwright.training.train_state import TrainState


@dataclass(frozen=True)
class Step:
    """What happened in one step. `number` counts from 1: after step n, n steps are done."""

    number: int
    loss: float
    gradient_norm: float
    rate: float
    seconds: float


def optimise(
    optimizer: Optimizer,
    losses: Callable[[int, BatchShard], Iterable[Tensor]],
    rate: Schedule,
    train_state: TrainState,
    *,
    steps: int,
    clip: float = 1.0,
    shard: BatchShard = WHOLE,
) -> Iterator[Step]:
    """Runs the steps that `train_state` has to do up to `steps`.

    `losses(batch, share)` gives the loss of the batch of that number in parts that add up; each part's graph is freed
    before the next is built, so a large batch needs the memory of one piece only.
    """
    for number in train_state.steps(steps):
        start = time.perf_counter()
        batch = number + train_state.skipped_batches
        loss = add_gradients(optimizer, partial(losses, batch), train_state, shard)
        # On its way while the norm is computed, which is all that a step waits for.
        loss = optimizer.layout.world.total(loss).to("cpu", non_blocking=True)
        norm = take_step(optimizer, rate(number), train_state, clip)
        yield Step(number + 1, float(loss), norm, rate(number), time.perf_counter() - start)


def take_step(optimizer: Optimizer, rate: float, train_state: TrainState, clip: float = 1.0) -> float:
    """Moves the parameters, unless the gradient is not to be believed; returns its norm."""
    limit = train_state.limit(clip)
    norm = optimizer.step(rate, clip, limit)
    train_state.record_norm(norm, limit)
    return norm


def add_gradients(
    optimizer: Optimizer,
    losses: Callable[[BatchShard], Iterable[Tensor]],
    train_state: TrainState,
    shard: BatchShard = WHOLE,
) -> Tensor:
    """Adds up the gradients of all parts and returns the loss of this share, which nothing waits for.

    When the memory does not suffice, what was added is dropped and the same batch done in twice as many pieces, and so
    are all that follow. Raises `MemoryShort` when a piece is one row, or other processes wait for this one's part.
    """
    while True:
        mine = replace(shard, micro_batches=train_state.micro_batches, asked=[])
        try:
            return _backward(losses(mine))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # Not inside `except`: the error holds the failed attempt's tensors.
        optimizer.forget_gradients()
        with_more_micro_batches = mine.with_more_micro_batches()
        if with_more_micro_batches is None:
            raise MemoryShort("memory for one row of a batch", "less than that",
                                "Lower the length or the model's width, or end other programs.")  # fmt: skip
        if shard.ranks > 1:
            raise MemoryShort("memory for a process's rows of a batch", "less than that",
                                f"Begin with --micro-batches {with_more_micro_batches.micro_batches}.")  # fmt: skip
        train_state.micro_batches = with_more_micro_batches.micro_batches
        say(f"out of memory: from here on a batch is worked on in {train_state.micro_batches} pieces")


def _backward(parts: Iterable[Tensor]) -> Tensor:
    total = torch.zeros(())
    for part in parts:
        part.backward()
        total = part.detach() + total.to(part.device)
    return total
