"""Norms: the layer norm of torch for every device, and LLaMA's root-mean-square norm (Zhang & Sennrich 2019)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.kernels.fused import can_fuse, rms_norm


class LayerNorm(nn.LayerNorm):
    """Computed in float32 and given back in the input's format, whatever that of the gains.

    Only torch's kernels for the processor take two formats at once.
    """

    def forward(self, input: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        if input.is_cpu or input.dtype == self.weight.dtype:
            return super().forward(input)
        wide = F.layer_norm(input.float(), self.normalized_shape, self.weight, self.bias, self.eps)
        return wide.to(input.dtype)


class RMSNorm(nn.Module):
    """x / √(mean x² + ε) · gain: no mean is taken off, no bias added; in float32, given back in x's own format."""

    def __init__(self, width: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        if can_fuse(x):
            return rms_norm(x, self.weight, self.epsilon)
        wide = x.float()
        return (wide * (wide.square().mean(-1, keepdim=True) + self.epsilon).rsqrt() * self.weight).to(x.dtype)
