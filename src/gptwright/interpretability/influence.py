"""How one example pulls at another through a model's weights, to first order (TracIn, Pruthi et al. 2020).

A step of gradient descent on an example moves the weights along -∇loss(example), and so changes the loss of another by
-rate · ∇loss(example) · ∇loss(other). The product of the gradients is a derivative: how fast the loss of the one grows
as the weights move along the gradient of the other. So one gradient, of what is asked about, and two forward passes
over everything else say all products. No gradient of any other example is ever computed or kept.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

STEP = 3e-5
"""how far the weights are moved, of their own length: less drowns in float32, more bends"""

Gradient = Mapping[str, Tensor]


def gradient(network: nn.Module, value: Float[Tensor, ""]) -> Gradient:
    """Of a number that was computed with the network, by the names of its parameters; those that it does not depend on
    have none."""
    named = {name: each for name, each in network.named_parameters() if each.requires_grad}
    grads = torch.autograd.grad(value, list(named.values()), allow_unused=True)
    found = cast("tuple[Tensor | None, ...]", grads)
    return {name: each for name, each in zip(named, found, strict=True) if each is not None}


def slopes(network: nn.Module, direction: Gradient, measure: Callable[[], Float[Tensor, "N"]]) -> Float[Tensor, "N"]:
    """How fast each of N numbers grows when the weights move along `direction`: its product with each one's gradient.

    `measure` computes them with the network, whose weights are afterwards what they were before.
    """
    length = _length(direction.values())
    if not length:
        return torch.zeros_like(measure(), dtype=torch.float64)
    own = (each for name, each in network.named_parameters() if name in direction)
    size = STEP * (_length(own) or 1.0) / length
    sides = list[Tensor]()
    for signed in (size, -size):
        with moved(network, direction, signed):
            sides.append(measure().double())
    return (sides[0] - sides[1]) / (2 * size)


@contextmanager
def moved(network: nn.Module, direction: Gradient, size: float) -> Generator[None]:
    """Inside, the weights stand `size` times `direction` away from where they are."""
    own = dict(network.named_parameters())
    kept = {name: own[name].detach().clone() for name in direction}
    try:
        with torch.no_grad():
            for name, each in direction.items():
                own[name].add_(each.to(own[name].dtype), alpha=size)
            yield
    finally:
        with torch.no_grad():
            for name, each in kept.items():
                own[name].copy_(each)


def _length(tensors: Iterable[Tensor]) -> float:
    return sum(float(each.detach().double().square().sum()) for each in tensors) ** 0.5
