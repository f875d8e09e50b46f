"""Small layers in one pass each, and so their gradients: of a small model's step they are the greater part.

Only for tensors that `can_fuse`; the same by PyTorch's operations is in `layers`. Where no gradient is wanted, autograd
is not asked: of a decoding step it would take a good part.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.kernels.attention import heads_like
from gptwright.kernels.autograd import Context
from gptwright.kernels.library import Heads, fits, library


def can_fuse(x: Float[Tensor, "..."]) -> bool:
    return fits(x) and x.stride(-1) == 1


def rms_norm(x: Float[Tensor, "*B C"], gains: Float[Tensor, "C"], epsilon: float) -> Float[Tensor, "*B C"]:
    """x / √(mean x² + ε) · gains."""
    way = RMSNormalized.apply if torch.is_grad_enabled() else _normalized
    return way(x.contiguous(), gains, epsilon)  # pyright: ignore[reportReturnType]


def silu_product(gate: Float[Tensor, "*B C"], up: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
    """gate · σ(gate) · up."""
    way = SiluProduct.apply if torch.is_grad_enabled() else _product
    return way(gate.contiguous(), up.contiguous())  # pyright: ignore[reportReturnType]


def turn_heads(
    x: Float[Tensor, "B H T D"], cos: Float[Tensor, "#B 1 T D"], sin: Float[Tensor, "#B 1 T D"]
) -> Float[Tensor, "B H T D"]:
    """Pairs (x[i], x[i + D/2]) turned by angles in float32; the heads of a position lie side by side in the result."""
    way = TurnedHeads.apply if torch.is_grad_enabled() else _turned
    return way(x, cos.contiguous(), sin.contiguous())  # pyright: ignore[reportReturnType]


class RMSNormalized(torch.autograd.Function):
    """`rms_norm` with its gradients; that of gains that do not learn is not computed."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, gains: Tensor, epsilon: float) -> Tensor:  # pyright: ignore
        ctx.save_for_backward(x, gains, torch.tensor(epsilon))
        return _normalized(x, gains, epsilon)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        (x, gains, epsilon), dy = ctx.saved_tensors, gradients[0].contiguous()
        wide, width, parts = gains.float(), x.shape[-1], torch.get_num_threads()
        dx, d_gains = torch.empty_like(x), torch.zeros(parts, width) if ctx.needs_input_grad[1] else None
        library().rms_norm_backward(x.numel() // width, width, x.data_ptr(), wide.data_ptr(), float(epsilon),
                                    dy.data_ptr(), dx.data_ptr(), None if d_gains is None else d_gains.data_ptr(),
                                    parts)  # fmt: skip
        return dx, None if d_gains is None else d_gains.sum(0).to(gains.dtype), None


class SiluProduct(torch.autograd.Function):
    """`silu_product` with its gradients."""

    @staticmethod
    def forward(ctx: Context, gate: Tensor, up: Tensor) -> Tensor:  # pyright: ignore
        ctx.save_for_backward(gate, up)
        return _product(gate, up)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore
        (gate, up), dy = ctx.saved_tensors, gradients[0].contiguous()
        d_gate, d_up = torch.empty_like(gate), torch.empty_like(up)
        library().silu_product_backward(dy.numel(), *(x.data_ptr() for x in (gate, up, dy, d_gate, d_up)),
                                        torch.get_num_threads())  # fmt: skip
        return d_gate, d_up


class TurnedHeads(torch.autograd.Function):
    """`turn_heads`, whose gradient is turned back."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:  # pyright: ignore
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore
        (cos, sin), dy = ctx.saved_tensors, gradients[0]
        return _turned(dy if dy.stride(-1) == 1 else dy.contiguous(), cos, -sin), None, None


def _normalized(x: Tensor, gains: Tensor, epsilon: float) -> Tensor:
    gains, width, y = gains.float(), x.shape[-1], torch.empty_like(x)
    library().rms_norm(x.numel() // width, width, x.data_ptr(), gains.data_ptr(), epsilon, y.data_ptr(),
                       torch.get_num_threads())  # fmt: skip
    return y


def _product(gate: Tensor, up: Tensor) -> Tensor:
    y = torch.empty_like(gate)
    library().silu_product(y.numel(), gate.data_ptr(), up.data_ptr(), y.data_ptr(), torch.get_num_threads())
    return y


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    y, apart = heads_like(x), cos.stride(0) if len(cos) > 1 else 0
    library().turn_heads(*x.shape, Heads.of(x), cos.data_ptr(), sin.data_ptr(), apart, Heads.of(y),
                         torch.get_num_threads())  # fmt: skip
    return y
