"""Rows of ids of different lengths as one tensor."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor


def padded(rows: Sequence[Sequence[int]], value: int, multiple: int = 1) -> Int[Tensor, "B T"]:
    """Rows of different lengths as one tensor, `value` on the right up to a multiple of `multiple`."""
    width = -(-max(len(row) for row in rows) // multiple) * multiple
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], dtype=torch.long)
