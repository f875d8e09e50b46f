"""Root-mean-square norm (Zhang & Sennrich 2019), as LLaMA has it: no mean is taken off, no bias added."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """x / √(mean x² + ε) · gain, computed in float32 and given back in x's own format."""

    def __init__(self, width: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        wide = x.float()
        return (wide * (wide.square().mean(-1, keepdim=True) + self.epsilon).rsqrt() * self.weight).to(x.dtype)
