"""The one inner loop: losses in, steps out."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import Schedule
from gptwright.training.share import WHOLE, Share


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
    losses: Callable[[int, Share], Iterable[Tensor]],
    rate: Schedule,
    *,
    first: int,
    steps: int,
    clip: float = 1.0,
    share: Share = WHOLE,
) -> Iterator[Step]:
    """Runs steps `first` … `steps - 1`. `losses(step, share)` gives that step's loss in parts that add up.

    Each part's graph is freed before the next is built, so a large batch needs the memory of one piece only.
    """
    for number in range(first, steps):
        start = time.perf_counter()
        total = 0.0
        for part in losses(number, share):
            part.backward()
            total += part.item()
        norm = optimizer.step(rate(number), clip)
        yield Step(number + 1, total, norm, rate(number), time.perf_counter() - start)
