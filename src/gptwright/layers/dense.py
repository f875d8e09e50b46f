"""Every query against every key it may see: our kernel, torch's fused attention, or plain matrix products.

The processor's bf16 units serve matrix products; torch's fused attention does not use them: 2 to 5 times slower.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from gptwright.kernels.attention import can_attend, causal_attention

BLOCK, MOST_BLOCKS = 128, 16


def causal(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"]
) -> Float[Tensor, "B H T D"]:
    """Every position sees itself and what came before."""
    if can_attend(q):
        return causal_attention(q, k, v)
    if products_are_faster(q):
        return causal_by_blocks(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])


def full(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G S D"], v: Float[Tensor, "B G S D"]
) -> Float[Tensor, "B H T D"]:
    """Every position sees every key."""
    if products_are_faster(q):
        return matmul_attention(q, k, v, q.new_zeros(1, 1, 1))
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=q.shape[1] != k.shape[1])


def masked(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B G S D"],
    v: Float[Tensor, "B G S D"],
    allowed: Bool[Tensor, "#B #T S"],
) -> Float[Tensor, "B H T D"]:
    """Any mask, at the price of all T × S scores."""
    if products_are_faster(q):
        return matmul_attention(q, k, v, hidden(~allowed, q))
    return F.scaled_dot_product_attention(q, k, v, allowed[:, None], enable_gqa=q.shape[1] != k.shape[1])


def causal_by_blocks(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"]
) -> Float[Tensor, "B H T D"]:
    """Causal attention by plain matrix products over blocks of queries, each against the keys up to its end."""
    length = q.shape[2]
    block = max(BLOCK, length // MOST_BLOCKS)
    rows: list[Tensor] = []
    for start in range(0, length, block):
        end = min(start + block, length)
        later = torch.full((1, end - start, end), float("-inf"), dtype=q.dtype, device=q.device).triu_(start + 1)
        rows.append(matmul_attention(q[:, :, start:end], k[:, :, :end], v[:, :, :end], later))
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=2)


def matmul_attention(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B G S D"],
    v: Float[Tensor, "B G S D"],
    bias: Float[Tensor, "#B #T #S"],
) -> Float[Tensor, "B H T D"]:
    """Scores, softmax, sum. Query heads that share keys are stacked as rows of one matrix: no key is copied."""
    groups, shared = k.shape[1], q.shape[1] // k.shape[1]
    bias = bias.expand(-1, q.shape[2], -1).repeat(1, shared, 1)
    if len(bias) > 1:
        bias = bias.repeat_interleave(groups, 0)
    rows = q.unflatten(1, (groups, shared)).flatten(2, 3).flatten(0, 1)
    scores = torch.baddbmm(bias, rows, k.flatten(0, 1).mT, alpha=q.shape[-1] ** -0.5)
    return (scores.softmax(-1) @ v.flatten(0, 1)).view(q.shape)


def hidden(where: Bool[Tensor, "*A"], like: Float[Tensor, "..."]) -> Float[Tensor, "*A"]:
    """What is added to scores: -∞ `where` a key is not seen, else 0, in the format of `like`."""
    return like.new_zeros(where.shape).masked_fill_(where, float("-inf"))


def products_are_faster(q: Float[Tensor, "..."]) -> bool:
    return q.device.type == "cpu" and q.dtype == torch.bfloat16
