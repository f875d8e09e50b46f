"""How fast this machine trains a model: measured for a second or two on the real model, loss and optimiser."""

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
from torch import Tensor

from gptwright.foundations.device import fast_dtype
from gptwright.models.catalogue import build
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import next_token_loss
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.optimizers import OPTIMIZERS

CPU = torch.device("cpu")


def step_seconds(
    model: ModelConfig,
    *batches: tuple[int, int],
    optimizer_name: str = "adamw",
    dtype: torch.dtype | None = None,
    device: torch.device = CPU,
    at_most: float = 1.5,
) -> float:
    """One training step on batches of (rows, length) tokens drawn at random; `model` is a configuration."""
    dtype = dtype or fast_dtype()
    network = build(model).to(device)
    cast_linears(network, dtype)
    optimizer = Optimizer(network, OPTIMIZERS[optimizer_name](0.1, dtype))
    ids = [torch.randint(model.vocab, shape, device=device) for shape in batches]

    def step() -> None:
        for loss in losses(network, ids):
            loss.backward()
        optimizer.step(1e-4, 1.0)  # which asks for the gradients' norm, so that it waits for a device

    return seconds_of(step, at_most=at_most)


def losses(network: Decoder, batches: list[Tensor]) -> Iterator[Tensor]:
    """Of batches that stand for text."""
    for ids in batches:
        yield next_token_loss(network.hidden(ids), network.output, ids)


def seconds_of(work: Callable[[], object], enough: int = 15, at_most: float = 1.5) -> float:
    """Median of up to `enough` runs after two to warm up, stopping early when `at_most` seconds went by.

    A run that alone takes longer is the only one: warming up is little of it.
    """
    began, taken = time.perf_counter(), list[float]()
    while len(taken) < enough + 2 and (not taken or time.perf_counter() - began < at_most):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return median(taken[2:] or taken[-1:])
