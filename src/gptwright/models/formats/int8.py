"""Matrices as int8 with a scale for each row: a quarter of float32, and it is known exactly what is computed with."""

from copy import deepcopy
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

LARGEST = 127
Network = TypeVar("Network", bound=nn.Module)


class Int8Matrix(NamedTuple):
    """A matrix is `values` · `scales`, row by row."""

    values: Int8[Tensor, "R C"]
    scales: Float[Tensor, "R"]


def quantized(matrix: Float[Tensor, "R C"]) -> Int8Matrix:
    """Each number by the nearest of 255 steps, from minus to plus the largest of its row."""
    wide = matrix.detach().float().cpu()
    scales = wide.abs().amax(1) / LARGEST
    steps = wide / torch.where(scales > 0, scales, 1.0)[:, None]
    return Int8Matrix(steps.round().clamp(-LARGEST, LARGEST).to(torch.int8), scales)


def dequantized(matrix: Int8Matrix) -> Float[Tensor, "R C"]:
    """What is computed with."""
    return matrix.values.float() * matrix.scales[:, None]


@torch.no_grad()
def rounded(network: Network) -> Network:
    """A copy whose every matrix holds what its int8 form says; vectors stay as they are."""
    copy = deepcopy(network)
    for parameter in copy.parameters():
        if parameter.dim() == 2:
            parameter.copy_(dequantized(quantized(parameter)))
    return copy
