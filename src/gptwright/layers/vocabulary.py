"""Which tokens a process scores: the whole vocabulary, or a slice of it beside the slices of others."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor


class Vocabulary:
    """All of it."""

    def scored(self, hidden: Float[Tensor, "*B C"], output: Float[Tensor, "W C"]) -> Float[Tensor, "*B V"]:
        """Logits of every token, in float32."""
        return self.joined(hidden.float() @ output.T)

    def joined(self, logits: Float[Tensor, "*B W"]) -> Float[Tensor, "*B V"]:
        """Scores of all tokens, from those of the tokens held here."""
        return logits


@dataclass(frozen=True)
class VocabShard(Vocabulary):
    """The tokens `first` to `first` + W of `size`; the `group` of processes holds equal slices, in order."""

    first: int
    size: int
    group: Any

    def joined(self, logits: Float[Tensor, "*B W"]) -> Float[Tensor, "*B V"]:
        """Gathered, without a gradient: for evaluation and generation."""
        parts = [torch.empty_like(logits) for _ in range(dist.get_world_size(self.group))]
        dist.all_gather(parts, logits.detach().contiguous(), group=self.group)
        return torch.cat(parts, -1)

    def total(self, part: Tensor) -> Tensor:
        """Sums over all slices, in place."""
        dist.all_reduce(part, group=self.group)
        return part

    def largest(self, part: Tensor) -> Tensor:
        """Maxima over all slices, in place."""
        dist.all_reduce(part, dist.ReduceOp.MAX, group=self.group)
        return part


WHOLE = Vocabulary()
