"""Who may look at whom. A mask is an object, so that `attend` can recognise the cases with a faster way."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@runtime_checkable
class Mask(Protocol):
    """Says, for queries at given positions, which keys they may see."""

    def allowed(self, queries: Int[Tensor, "B T"], keys: int) -> Bool[Tensor, "B T S"]:
        """`queries` are absolute positions; keys stand at 0 … keys - 1."""
        ...


@dataclass(frozen=True)
class Causal:
    """Every position sees itself and what came before: a decoder's mask."""

    def allowed(self, queries: Int[Tensor, "B T"], keys: int) -> Bool[Tensor, "B T S"]:
        return torch.arange(keys, device=queries.device) <= queries[..., None]


CAUSAL = Causal()
