"""Small layers in one pass each where no gradient is wanted: of a small model's step they are the greater part.

Only for tensors that `can_fuse`; the same by PyTorch's operations is in `layers`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.kernels.attention import heads_like
from gptwright.kernels.library import Heads, fits, library


def can_fuse(x: Float[Tensor, "..."]) -> bool:
    return not torch.is_grad_enabled() and fits(x) and x.stride(-1) == 1


def rms_norm(x: Float[Tensor, "*B C"], gains: Float[Tensor, "C"], epsilon: float) -> Float[Tensor, "*B C"]:
    """x / √(mean x² + ε) · gains."""
    x, gains, width = x.contiguous(), gains.float(), x.shape[-1]
    y = torch.empty_like(x)
    library().rms_norm(x.numel() // width, width, x.data_ptr(), gains.data_ptr(), epsilon, y.data_ptr(),
                       torch.get_num_threads())  # fmt: skip
    return y


def silu_product(gate: Float[Tensor, "*B C"], up: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
    """gate · σ(gate) · up."""
    gate, up = gate.contiguous(), up.contiguous()
    y = torch.empty_like(gate)
    library().silu_product(y.numel(), gate.data_ptr(), up.data_ptr(), y.data_ptr(), torch.get_num_threads())
    return y


def turn_heads(
    x: Float[Tensor, "B H T D"], cos: Float[Tensor, "#B 1 T D"], sin: Float[Tensor, "#B 1 T D"]
) -> Float[Tensor, "B H T D"]:
    """Pairs (x[i], x[i + D/2]) turned by angles in float32; the heads of a position lie side by side in the result."""
    cos, sin, y = cos.contiguous(), sin.contiguous(), heads_like(x)
    apart = cos.stride(0) if len(cos) > 1 else 0
    library().turn_heads(*x.shape, Heads.of(x), cos.data_ptr(), sin.data_ptr(), apart, Heads.of(y),
                         torch.get_num_threads())  # fmt: skip
    return y
