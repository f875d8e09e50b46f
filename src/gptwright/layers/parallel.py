"""Layers that several processes hold in parts, and what passes between them (Shoeybi et al. 2019, Megatron-LM).

A layer's first matrices are cut by outputs (heads, or hidden numbers), its last by inputs: between them every process
works alone. What enters is the same everywhere, what leaves is added up. `CopyToTensorParallel` is nothing on the way
forward and a sum on the way back; `ReduceFromTensorParallel` is a sum on the way forward and nothing on the way back.
"""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class CopyToTensorParallel(torch.autograd.Function):
    """The same x in every process; each adds its part to x's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].contiguous()
        dist.all_reduce(gradient, group=ctx.group)
        return gradient, None


class ReduceFromTensorParallel(torch.autograd.Function):
    """The sum of every process's x, which nobody else may use."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.mark_dirty(x)
        dist.all_reduce(x, group=group)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def entering(group: Any) -> Any:
    """A hook before a module's forward, whose first argument then enters."""

    def hook(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return CopyToTensorParallel.apply(arguments[0], group), *arguments[1:]

    return hook


class PartialLinear(nn.Linear):
    """A linear layer that sees some of the inputs: the parts' results are added up, and the bias to their sum."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None, group: Any) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias=False, device="meta")
        self.weight, self.bias, self.group = weight, bias, group

    def forward(self, input: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        whole: Tensor = ReduceFromTensorParallel.apply(F.linear(input, self.weight), self.group)  # pyright: ignore[reportAssignmentType]
        return whole if self.bias is None else whole + self.bias


class PartialEmbedding(nn.Embedding):
    """An embedding that holds the tokens from `first` on; those of other processes come from there."""

    def __init__(self, weight: nn.Parameter, first: int, group: Any) -> None:
        super().__init__(weight.shape[0], weight.shape[1], _weight=weight.data)
        self.weight, self.first, self.group = weight, first, group

    def forward(self, input: Int[Tensor, "*B"]) -> Float[Tensor, "*B C"]:
        here = (input >= self.first) & (input < self.first + self.num_embeddings)
        found = F.embedding(torch.where(here, input - self.first, 0), self.weight) * here[..., None]
        return ReduceFromTensorParallel.apply(found, self.group)  # pyright: ignore[reportReturnType]
