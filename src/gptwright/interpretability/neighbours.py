"""Tokens whose vectors point the same way."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


@torch.no_grad()
def neighbours(
    embedding: Float[Tensor, "V C"], ids: Sequence[int], count: int
) -> tuple[list[list[int]], list[list[float]]]:
    """The ids nearest to each of `ids` by cosine, itself left out, and their cosines."""
    directions = nn.functional.normalize(embedding.float(), dim=-1)
    cosines = directions[list(ids)] @ directions.T
    cosines[torch.arange(len(ids)), list(ids)] = float("-inf")
    best = cosines.topk(min(count, embedding.shape[0] - 1))
    return best.indices.tolist(), best.values.tolist()
