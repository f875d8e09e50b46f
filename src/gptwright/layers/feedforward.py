"""The position-wise network between attentions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.kernels.fused import can_fuse, silu_product
from gptwright.kernels.library import fits
from gptwright.kernels.pointwise import Gelu, gelu
from gptwright.layers.linear import marked_linear

Activation = Callable[[Tensor], Tensor]


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU in the tanh form of GPT-1's and GPT-2's code."""
    if fits(x, torch.float32):
        return Gelu.apply(x) if torch.is_grad_enabled() else gelu(x)  # pyright: ignore[reportReturnType]
    return F.gelu(x, approximate="tanh")


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)² (So et al. 2021)."""
    return F.relu(x).square()


def quick_gelu(x: Tensor) -> Tensor:
    """x · σ(1.702 x): GELU as CLIP has it (Hendrycks & Gimpel 2016, §2)."""
    return x * torch.sigmoid(1.702 * x)


class FeedForward(nn.Module):
    """Widen, bend, narrow (Vaswani et al. 2017, §3.3)."""

    def __init__(self, width: int, hidden: int, activation: Activation = gelu_tanh, *, bias: bool = True) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=bias)
        self.down = marked_linear(hidden, width, bias=bias, residual=True)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        return self.down(self.activation(self.up(x)))


class SwiGLU(nn.Module):
    """Widen twice, one gates the other, narrow; no biases (Shazeer 2020, as in LLaMA)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = marked_linear(hidden, width, bias=False, residual=True)

    def forward(self, x: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        gate, up = self.gate(x), self.up(x)
        return self.down(silu_product(gate, up) if can_fuse(gate) else F.silu(gate) * up)
