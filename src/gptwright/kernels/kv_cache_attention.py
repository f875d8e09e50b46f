"""Attention to keys and values that lie in a KV cache, (addresses, G, D): a request's tokens one behind the other.

Queries, new keys and new values come as layers give them, (1, H, N, D), the tokens of all requests side by side. Single
tokens of many requests are one call; a chunk of a prompt is a call of its own. What a token gets depends neither on the
others of a call nor on how a prompt is cut into chunks.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.kernels.attention import even_rows, heads_like
from gptwright.kernels.library import Heads, can_bf16, library

WIDEST = 128  # numbers of a head


def can_attend_cache(keys: Float[Tensor, "A G D"]) -> bool:
    """Whether the kernels take a KV cache: bf16 or float32; else the same is computed by PyTorch's operations."""
    width = keys.shape[-1]
    known = keys.dtype in (torch.bfloat16, torch.float32) and keys.is_cpu and keys.is_contiguous()
    return known and width % 16 == 0 and width <= WIDEST and can_bf16()


def keep(
    k: Float[Tensor, "1 G N D"],
    v: Float[Tensor, "1 G N D"],
    keys: Float[Tensor, "A G D"],
    values: Float[Tensor, "A G D"],
    addresses: Int[Tensor, "N"],
) -> None:
    """Puts the keys and values of new tokens to their addresses."""
    if not can_attend_cache(keys) or k.stride(-1) != 1 or v.stride(-1) != 1:
        keys[addresses], values[addresses] = k[0].transpose(0, 1).to(keys.dtype), v[0].transpose(0, 1).to(keys.dtype)
        return
    assert k.dtype == v.dtype == keys.dtype
    size = k.element_size()
    _, groups, tokens, width = k.shape
    library().kv_cache_keep(tokens, groups, width * size, _bytes(k, size), _bytes(v, size), keys.data_ptr(),
                         values.data_ptr(), addresses.data_ptr())  # fmt: skip


def attend_tokens(
    q: Float[Tensor, "1 H N D"],
    keys: Float[Tensor, "A G D"],
    values: Float[Tensor, "A G D"],
    starts: Int[Tensor, "N"],
    seen: Int[Tensor, "N"],
    band: int = 0,
) -> Float[Tensor, "1 H N D"]:
    """Token n sees the `seen[n]` keys (1 at least) from address `starts[n]` on, in a band the last `band` of them."""
    if not can_attend_cache(keys):
        return tokens_by_torch(q, keys, values, starts, seen, band)
    assert q.dtype == keys.dtype and starts.dtype == seen.dtype == torch.long
    q = q if q.stride(-1) == 1 else q.contiguous()
    _, heads, tokens, width = q.shape
    groups, out = keys.shape[1], heads_like(q)
    library().kv_cache_attend(
        tokens, groups, heads // groups, width, width**-0.5, band, q.dtype == torch.float32, Heads.of(q),
        Heads.of(out), keys.data_ptr(), values.data_ptr(), starts.data_ptr(), seen.data_ptr(), torch.get_num_threads(),
    )  # fmt: skip
    return out


def attend_chunk(
    q: Float[Tensor, "1 H T D"],
    keys: Float[Tensor, "A G D"],
    values: Float[Tensor, "A G D"],
    start: int,
    past: int,
    band: int = 0,
) -> Float[Tensor, "1 H T D"]:
    """T tokens of one request, whose keys are in the KV cache already, behind `past` others from address `start` on."""
    if not can_attend_cache(keys) or q.dtype != torch.bfloat16:
        return chunk_by_torch(q, keys, values, start, past, band)
    skipped = max(0, past + 1 - band) if band else 0
    length = q.shape[2]
    k, v = (_heads(x, start + skipped, start + past + length) for x in (keys, values))
    q, out = even_rows(q), heads_like(q)
    _, heads, _, width = q.shape
    groups = keys.shape[1]
    library().attention_forward(1, groups, heads // groups, length, width, width**-0.5, past - skipped, band,
                                None, *map(Heads.of, (q, k, v, out)), None, torch.get_num_threads())  # fmt: skip
    return out


def tokens_by_torch(
    q: Float[Tensor, "1 H N D"],
    keys: Float[Tensor, "A G D"],
    values: Float[Tensor, "A G D"],
    starts: Int[Tensor, "N"],
    seen: Int[Tensor, "N"],
    band: int,
) -> Float[Tensor, "1 H N D"]:
    """`attend_tokens`, one request after the other."""
    out = heads_like(q)
    for n, (start, count) in enumerate(zip(starts.tolist(), seen.tolist(), strict=True)):
        skipped = max(0, count - band) if band else 0
        k, v = (_heads(x, start + skipped, start + count) for x in (keys, values))
        one = slice(n, n + 1)
        out[:, :, one] = F.scaled_dot_product_attention(q[:, :, one], k, v, enable_gqa=k.shape[1] != q.shape[1])
    return out


def chunk_by_torch(
    q: Float[Tensor, "1 H T D"],
    keys: Float[Tensor, "A G D"],
    values: Float[Tensor, "A G D"],
    start: int,
    past: int,
    band: int,
) -> Float[Tensor, "1 H T D"]:
    """`attend_chunk` on views of the KV cache."""
    k, v = (_heads(x, start, start + past + q.shape[2]) for x in (keys, values))
    back = torch.arange(past, past + q.shape[2], device=q.device)[:, None] - torch.arange(k.shape[2], device=q.device)
    allowed = (back >= 0) & (back < (band or k.shape[2]))
    return F.scaled_dot_product_attention(q, k, v, allowed, enable_gqa=k.shape[1] != q.shape[1])


def _heads(x: Float[Tensor, "A G D"], start: int, end: int) -> Float[Tensor, "1 G S D"]:
    return x[start:end].transpose(0, 1)[None]


def _bytes(x: Float[Tensor, "1 G N D"], size: int) -> Heads:
    batch, head, row, _ = x.stride()
    return Heads(x.data_ptr(), batch * size, head * size, row * size)
