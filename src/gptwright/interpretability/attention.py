"""Attention weights summed up: over heads, and over layers by rollout."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def mean_of_heads(weights: Sequence[Float[Tensor, "_ T T"]]) -> Float[Tensor, "L T T"]:
    """Of every layer."""
    return torch.stack([layer.mean(0) for layer in weights])


def rollout(weights: Sequence[Float[Tensor, "_ T T"]]) -> Float[Tensor, "T T"]:
    """How much of each position of the input (column) is in each position of the last layer (row), if attention and the
    residual stream mixed in halves and nothing else did (Abnar & Zuidema 2020, §3.1). Rows add up to 1: a position
    keeps for itself what its row of a layer lacks."""
    tokens = weights[0].shape[-1]
    mixed = torch.eye(tokens)
    for layer in mean_of_heads(weights):
        kept = torch.diag(1 - layer.sum(-1))
        mixed = (layer + kept + torch.eye(tokens)) / 2 @ mixed
    return mixed
