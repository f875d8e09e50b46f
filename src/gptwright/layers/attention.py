"""Multi-head attention: softmax(Q Kᵀ / √D) V (Vaswani et al. 2017, §3.2)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.layers.cache import LayerCache
from gptwright.layers.masks import Causal, Mask

BLOCK = 128


class Attention(nn.Module):
    """Self-attention with one fused projection to queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "B T C"], mask: Mask, cache: LayerCache | None = None) -> Float[Tensor, "B T C"]:
        """With a `cache`, x follows the tokens stored there, whose keys and values are seen too."""
        q, k, v = (split.unflatten(-1, (self.heads, -1)).transpose(1, 2) for split in self.qkv(x).chunk(3, dim=-1))
        if cache is None:
            y = attend(q, k, v, mask)
        else:
            positions = cache.cache.positions(q.shape[2])
            k, v = cache.append(k, v)
            allowed = mask.allowed(positions, k.shape[2])[:, None]
            y = F.scaled_dot_product_attention(q, k, v, allowed)
        return self.out(y.transpose(1, 2).flatten(2))


def attend(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"], mask: Mask
) -> Float[Tensor, "B H T D"]:
    """Attention over whole sequences, by the fastest way that is right for this mask, format and device."""
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
