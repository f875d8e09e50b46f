"""Attention over whole sequences, softmax(Q Kᵀ / √D) V, by the fastest way that is right for mask, format and device.

Fewer heads of keys than of queries is grouped-query attention (Ainslie et al. 2023): head h of the queries looks at
head h // (H / G) of the keys.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.kernels.attention import can_attend, causal_attention
from gptwright.layers.dense import causal, full, masked
from gptwright.layers.flex import SMALLEST_HEAD, by_flex
from gptwright.layers.masks import Banded, Both, Causal, Documents, Full, Mask, PositionMask, Strided
from gptwright.layers.sparse import sparse


def attend(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G S D"], v: Float[Tensor, "B G S D"], mask: Mask
) -> Float[Tensor, "B H T D"]:
    """Queries and keys both stand from position 0 on; masks that compare positions want as many of one as of the other.

    All ways give what `masked` gives with the mask's `allowed`, gradients included.
    """
    match mask:
        case Full():
            return full(q, k, v)
        case Causal():
            return causal(q, k, v)
        case Both(Causal(), Documents() as documents) if can_attend(q):
            return causal_attention(q, k, v, documents.begins)
        case PositionMask() if q.is_cuda and q.shape[-1] >= SMALLEST_HEAD and not isinstance(mask, Strided):
            return by_flex(q, k, v, mask)  # Strided's far keys lie in nearly every block that it could skip
        case Banded() | Strided():
            return sparse(q, k, v, mask)
        case _:
            return masked(q, k, v, mask.allowed(torch.arange(q.shape[2], device=q.device)[None], k.shape[2]))
