"""Sparse attention that computes only what its pattern shows: O(n·w) for a band, O(n·√n) for a stride near √n.

Queries stand in blocks, and a block meets its keys in plain matrix products. Where a pattern has two parts, near keys
and far keys, both parts' scores share one softmax.
"""

from collections.abc import Callable
from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from gptwright.layers.dense import BLOCK, causal, hidden, masked
from gptwright.layers.masks import Banded, Strided

SMALLEST_BLOCK = 32
SCORES_AT_ONCE = {"cpu": 2**20, "cuda": 2**28}
"""About as many as the processor's cache holds, or as a GPU has room for."""


def sparse(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B G T D"],
    v: Float[Tensor, "B G T D"],
    mask: Banded | Strided,
) -> Float[Tensor, "B H T D"]:
    """What dense attention with this mask gives, for less."""
    match mask:
        case Banded(width):
            return banded(q, k, v, width)
        case Strided(stride):
            return strided(q, k, v, stride)


def banded(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"], width: int
) -> Float[Tensor, "B H T D"]:
    """The first `width` queries see all before them; each later block of queries sees a window of keys."""
    length, block = q.shape[2], min(BLOCK, max(SMALLEST_BLOCK, width))
    start = causal(q[:, :, :width], k[:, :, :width], v[:, :, :width])
    if length <= width:
        return start
    allowed = band(width, block, q.device)[None]

    def some_heads(
        q: Float[Tensor, "M T D"], k: Float[Tensor, "M S D"], v: Float[Tensor, "M S D"]
    ) -> Float[Tensor, "M T D"]:
        queries = in_blocks(q, block).transpose(0, 1)
        whole = width + block * len(queries)
        keys, values = (windows(filled(x, whole), width + block, block).transpose(0, 1) for x in (k, v))
        return masked(queries, keys, values, allowed).transpose(0, 1).flatten(1, 2)[:, : q.shape[1]]

    rest = by_heads(some_heads, q[:, :, width:], k, v, (length - width) * (width + block))
    return torch.cat([start, rest], 2)


def strided(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"], stride: int
) -> Float[Tensor, "B H T D"]:
    """Near: a band of width `stride`. Far: the same column of earlier rows, the text written in rows of `stride`."""
    length = q.shape[2]
    if length <= stride:
        return causal(q, k, v)
    rows = ceil(length / stride)
    near_allowed = band(stride, stride, q.device).repeat(rows, 1, 1)
    near_allowed[0, :, :stride] = False
    far_allowed = lower(rows, -1, q.device)[:, None].expand(-1, stride, -1)
    bias = hidden(~torch.cat([near_allowed, far_allowed], -1), q)

    def some_heads(
        q: Float[Tensor, "M T D"], k: Float[Tensor, "M T D"], v: Float[Tensor, "M T D"]
    ) -> Float[Tensor, "M T D"]:
        q, k, v = (filled(x, rows * stride) for x in (q * q.shape[-1] ** -0.5, k, v))
        near_keys, near_values = (windows(F.pad(x, (0, 0, stride, 0)), 2 * stride, stride) for x in (k, v))
        q, k, v = (x.unflatten(1, (rows, stride)) for x in (q, k, v))
        near = block_scores(q, near_keys)
        far = block_scores(q.transpose(1, 2), k.transpose(1, 2)).transpose(1, 2)
        near, far = shared_softmax(near, far, bias)
        columns = (far.transpose(1, 2) @ v.transpose(1, 2)).transpose(1, 2)
        return (near @ near_values + columns).flatten(1, 2)[:, :length]

    return by_heads(some_heads, q, k, v, bias.numel())


def by_heads(
    way: Callable[[Tensor, Tensor, Tensor], Tensor],
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B G S D"],
    v: Float[Tensor, "B G S D"],
    scores: int,
) -> Float[Tensor, "B H T D"]:
    """`way` on as many heads together as `SCORES_AT_ONCE` lets, when one head has so many `scores`."""
    shared = q.shape[1] // k.shape[1]
    if shared > 1:
        k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
    together = max(1, SCORES_AT_ONCE.get(q.device.type, 2**20) // scores)
    parts = zip(*(x.flatten(0, 1).split(together) for x in (q, k, v)), strict=True)
    return torch.cat([way(*part) for part in parts]).unflatten(0, q.shape[:2])


def in_blocks(x: Float[Tensor, "M T D"], size: int) -> Float[Tensor, "M N P D"]:
    """Cut along T; the last block is filled up with zeros."""
    return filled(x, ceil(x.shape[1] / size) * size).unflatten(1, (-1, size))


def filled(x: Float[Tensor, "M T D"], length: int) -> Float[Tensor, "M S D"]:
    """Zeros added up to `length`; the same tensor when it has it already."""
    return x if x.shape[1] == length else F.pad(x, (0, 0, 0, length - x.shape[1]))


def block_scores(q: Float[Tensor, "M N P D"], k: Float[Tensor, "M N Q D"]) -> Float[Tensor, "M N P Q"]:
    """Each block of queries with its own keys."""
    return (q.flatten(0, 1) @ k.flatten(0, 1).mT).unflatten(0, q.shape[:2])


def band(width: int, block: int, device: torch.device) -> Bool[Tensor, "P Q"]:
    """For a block of queries and a window of Q = width + block keys that ends with them: who is near enough."""
    return torch.ones(block, width + block, dtype=torch.bool, device=device).triu(1).tril(width)


def lower(size: int, diagonal: int, device: torch.device) -> Bool[Tensor, "P P"]:
    """A triangle: with diagonal 0 up to the own place, with -1 what is strictly earlier."""
    return torch.ones(size, size, dtype=torch.bool, device=device).tril(diagonal)


def shared_softmax(
    near: Float[Tensor, "M N P Q"], far: Float[Tensor, "M N P S"], bias: Float[Tensor, "N P A"]
) -> tuple[Float[Tensor, "M N P Q"], Float[Tensor, "M N P S"]]:
    """Weights of both parts, which together sum to 1."""
    near, far = torch.cat([near, far], -1).add_(bias).softmax(-1).split([near.shape[-1], far.shape[-1]], -1)
    return near, far


class Windows(torch.autograd.Function):
    """Overlapping windows as a view. With torch's own gradient of `unfold` training was up to a third slower."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, step: int) -> Tensor:
        ctx.length, ctx.step = x.shape[1], step
        return x.unfold(1, size, step).mT

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (windows,) = gradients
        total = windows.new_zeros(windows.shape[0], ctx.length + ctx.step, windows.shape[-1])
        covered = windows.shape[1] * ctx.step
        for begin in range(0, windows.shape[2], ctx.step):
            piece = windows[:, :, begin : begin + ctx.step]
            blocks = total[:, begin : begin + covered].unflatten(1, (-1, ctx.step))
            blocks[:, :, : piece.shape[2]] += piece
        return total[:, : ctx.length], None, None


def windows(x: Float[Tensor, "M S D"], size: int, step: int) -> Float[Tensor, "M N Q D"]:
    """Windows of Q = `size` places, each `step` places after the one before; together they cover S exactly."""
    return Windows.apply(x, size, step)  # pyright: ignore[reportReturnType]
