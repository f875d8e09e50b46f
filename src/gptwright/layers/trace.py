"""A look inside: the states after every block, and the attention weights of every head."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.layers.masks import Mask


class Trace:
    """What a network computed on the way to its last states.

    It takes the place of a cache (`CacheView`), which every attention asks when there is one: nothing is added to the
    path of those who do not look. Weights are computed as they are defined, in float32.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.states: list[Float[Tensor, "B T C"]] = []
        """the first block's input, then every block's output"""
        self.attention: list[Float[Tensor, "B H T T"]] = []
        """of every layer: how much each position (row) takes from each (column); rows add up to 1"""
        self.cross: list[Float[Tensor, "B H T S"]] = []
        """the same of layers that look at an encoder's output: from each of its positions"""

    def positions(self, tokens: int) -> Int[Tensor, "1 T"]:
        return torch.arange(tokens, device=self.device)[None]

    def layer(self, index: int) -> "Trace":
        assert index == len(self.attention), "a trace is of one reading"
        return self

    def attend(
        self, q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"], mask: Mask
    ) -> Float[Tensor, "B H T D"]:
        """softmax(Q Kᵀ / √D) V, whose softmax is kept; heads that share keys have weights of their own."""
        return self._attend(q, k, v, mask, self.attention)

    def attend_across(
        self, q: Float[Tensor, "B H T D"], k: Float[Tensor, "B H S D"], v: Float[Tensor, "B H S D"], mask: Mask
    ) -> Float[Tensor, "B H T D"]:
        """The same where keys and values are an encoder's."""
        return self._attend(q, k, v, mask, self.cross)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask, kept: list[Tensor]) -> Tensor:
        shared = q.shape[1] // k.shape[1]
        k, v = (part.repeat_interleave(shared, 1) for part in (k, v))
        allowed = mask.allowed(self.positions(q.shape[2]), k.shape[2])[:, None]
        scores = (q.float() @ k.float().mT) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(~allowed, float("-inf")).softmax(-1)
        kept.append(weights)
        return (weights @ v.float()).to(q.dtype)
