"""Causal attention over whole sequences, heads where they lie: no copy of queries, keys, values or the result."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.kernels.autograd import Context
from gptwright.kernels.library import Heads, fits, library

LONGEST = 4096  # a block's scores no longer fit into the core's own cache


def can_attend(q: Float[Tensor, "B H T D"]) -> bool:
    return q.shape[-1] % 16 == 0 and q.shape[2] <= LONGEST and fits(q)


def causal_attention(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B G T D"],
    v: Float[Tensor, "B G T D"],
    begins: Int[Tensor, "B T"] | None = None,
) -> Float[Tensor, "B H T D"]:
    """softmax(Q Kᵀ / √D) V, every position seeing itself and what came before. Only where `can_attend(q)`.

    With `begins`, which never fall within a row, each sees from that position on only: its own text.
    """
    begins = None if begins is None else begins.contiguous()
    return CausalAttention.apply(*(even_rows(x) for x in (q, k, v)), begins)  # pyright: ignore[reportReturnType]


class CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, q: Tensor, k: Tensor, v: Tensor, begins: Tensor | None) -> Tensor:  # pyright: ignore
        out = heads_like(q)
        lse = torch.empty(q.shape[:3], dtype=torch.float32)
        library().attention_forward(
            *_shape(q, k), 0, 0, _address(begins), *map(Heads.of, (q, k, v, out)), lse.data_ptr(),
            torch.get_num_threads(),
        )  # fmt: skip
        ctx.save_for_backward(q, k, v, out, lse, begins)
        return out

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        q, k, v, out, lse, begins = ctx.saved_tensors
        given, results = even_rows(gradients[0]), tuple(heads_like(x) for x in (q, k, v))
        library().attention_backward(*_shape(q, k), _address(begins), *map(Heads.of, (q, k, v, out, given)),
                                     lse.data_ptr(), *map(Heads.of, results), torch.get_num_threads())  # fmt: skip
        return *results, None


def _address(x: Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


def _shape(q: Tensor, k: Tensor) -> tuple[int | float, ...]:
    rows, heads, length, width = q.shape
    return rows, k.shape[1], heads // k.shape[1], length, width, width**-0.5


def even_rows(x: Tensor) -> Tensor:
    """The numbers of one head side by side, rows at even places: two are read at once."""
    return x if x.stride(-1) == 1 and all(stride % 2 == 0 for stride in x.stride()[:3]) else x.contiguous()


def heads_like(x: Tensor) -> Tensor:
    """(B, H, T, D) with the heads of a position side by side, as the layers around want them."""
    rows, heads, length, width = x.shape
    return x.new_empty(rows, length, heads, width).transpose(1, 2)
