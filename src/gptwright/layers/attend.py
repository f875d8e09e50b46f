"""Attention over whole sequences, by the fastest way that is right for the mask, format and device."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gptwright.layers.masks import Causal, Mask

BLOCK = 128


def attend(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G S D"], v: Float[Tensor, "B G S D"], mask: Mask
) -> Float[Tensor, "B H T D"]:
    """Attention over whole sequences, by the fastest way that is right for this mask, format and device."""
    if k.shape[1] < q.shape[1]:
        k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    if isinstance(mask, Causal):
        if q.device.type == "cpu" and q.dtype == torch.bfloat16:
            return causal_by_blocks(q, k, v)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    positions = torch.arange(q.shape[2], device=q.device)[None]
    return F.scaled_dot_product_attention(q, k, v, mask.allowed(positions, k.shape[2])[:, None])


def causal_by_blocks(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]
) -> Float[Tensor, "B H T D"]:
    """Causal attention by plain matrix products over blocks of queries, each against the keys up to its end.

    The processor's bf16 units serve matrix products; torch's fused attention does not use them: 2 to 5 times slower.
    """
    scale, length = q.shape[-1] ** -0.5, q.shape[2]
    rows: list[Tensor] = []
    for start in range(0, length, BLOCK):
        end = min(start + BLOCK, length)
        hidden = torch.full((end - start, end), float("-inf"), dtype=q.dtype).triu_(start + 1)
        scores = torch.baddbmm(
            hidden, q[:, :, start:end].flatten(0, 1), k[:, :, :end].flatten(0, 1).transpose(1, 2), alpha=scale
        )
        rows.append((scores.softmax(-1) @ v[:, :, :end].flatten(0, 1)).unflatten(0, q.shape[:2]))
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=2)
