"""Any mask over positions on a GPU: torch's FlexAttention, compiled, which skips whole blocks that nobody sees."""

from collections.abc import Callable
from functools import cache, lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from gptwright.layers.masks import PositionMask

SMALLEST_HEAD = 16


def by_flex(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"], mask: PositionMask
) -> Float[Tensor, "B H T D"]:
    """Without a GPU the same computation is done without the compiler, with all T × T scores in memory."""
    run = compiled() if q.is_cuda else flex_attention
    return run(q, k, v, block_mask=block_mask(mask, q.shape[2], q.device), enable_gqa=q.shape[1] != k.shape[1])


@lru_cache(maxsize=32)
def block_mask(mask: PositionMask, length: int, device: torch.device) -> BlockMask:
    """Which blocks of 128 × 128 are seen wholly, in part or not at all; made once for each mask and length."""
    return create_block_mask(lambda _b, _h, query, key: mask.sees(query, key), None, None, length, length, device)


@cache
def compiled() -> Callable[..., Tensor]:
    """Compiled on first use, which takes seconds, for any length: texts that grow must not compile anew."""
    return torch.compile(flex_attention, dynamic=True)
