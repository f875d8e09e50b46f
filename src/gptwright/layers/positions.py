"""Positions that are computed: sinusoids (Vaswani et al. 2017, §3.5) and rotary angles (Su et al. 2021)."""

from math import log, pi
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.foundations.settings import Range, Size, settings
from gptwright.kernels.fused import can_fuse, turn_heads

Base = Annotated[float, Range(1, 1e12, above=True)]
Turns = Annotated[float, Range(0, 1e6, above=True)]


def sinusoids(positions: Int[Tensor, "*B T"], width: int) -> Float[Tensor, "*B T C"]:
    """Sines of `width` / 2 wavelengths from 2π to 10,000 · 2π, then their cosines.

    The paper's formula interleaves the two; its authors' code puts one half after the other, as here.
    """
    wide = torch.float32 if positions.device.type == "mps" else torch.float64  # Apple's GPUs have no doubles
    halves = torch.arange(0, width, 2, device=positions.device, dtype=wide)
    angles = positions[..., None] * torch.exp(halves * (-log(10_000.0) / width))
    return torch.cat([angles.sin(), angles.cos()], dim=-1).float()


@settings
class RopeScaling:
    """LLaMA 3.1: wavelengths that the first training never saw whole are stretched, short ones kept."""

    factor: Turns
    """how much longer the slow wavelengths become"""
    low: Turns
    """slow: fewer turns than this in the original context"""
    high: Turns
    """fast: more turns than this; between the two the stretch fades"""
    original_context: Size
    """tokens of the first training"""

    def of(self, rates: Float[Tensor, "D"]) -> Float[Tensor, "D"]:
        turns = self.original_context * rates / (2 * pi)
        kept = ((turns - self.low) / (self.high - self.low)).clamp(0, 1)
        return rates * (kept + (1 - kept) / self.factor)


class Angles(NamedTuple):
    """Cosine and sine for every position, broadcast over heads."""

    cos: Float[Tensor, "#B 1 T D"]
    sin: Float[Tensor, "#B 1 T D"]


def rotary_rates(
    head_width: int, base: float, scaling: RopeScaling | None = None, device: torch.device | None = None
) -> Float[Tensor, "D"]:
    """Radians that each pair of a head turns with every token."""
    rates = base ** (-torch.arange(0, head_width, 2, device=device) / head_width)
    return scaling.of(rates) if scaling else rates


def rotary_angles(
    positions: Int[Tensor, "#B T"], head_width: int, base: float, scaling: RopeScaling | None = None
) -> Angles:
    """Angles for heads of `head_width`, wavelengths from 2π to `base` · 2π."""
    angles = positions[:, None, :, None] * rotary_rates(head_width, base, scaling, positions.device)
    angles = torch.cat([angles, angles], dim=-1)
    return Angles(angles.cos(), angles.sin())


def apply_rotary(x: Float[Tensor, "B H T D"], angles: Angles) -> Float[Tensor, "B H T D"]:
    """Turns every pair (x[i], x[i + D/2]) by its position's angle: a product of two turned vectors then depends on
    the distance of their positions only."""
    if can_fuse(x) and angles.cos.dtype == torch.float32:
        return turn_heads(x, *angles)
    left, right = x.chunk(2, dim=-1)
    return (x * angles.cos + torch.cat([-right, left], dim=-1) * angles.sin).to(x.dtype)
