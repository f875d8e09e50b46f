"""Multi-head attention: softmax(Q Kᵀ / √D) V (Vaswani et al. 2017, §3.2)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.layers.attend import attend
from gptwright.layers.cache import LayerCache
from gptwright.layers.masks import Mask


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
