"""modern: our own decoder, for people who want results rather than history. It is in no paper.

Rotary positions, a norm on queries and keys (Henry et al. 2020), squared ReLU (So et al. 2021), norms without gains,
branches that start at zero, an output matrix of its own: what public races to train GPT-2 fast have kept.
"""

from collections.abc import Iterable
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.settings import Layers, Size, settings
from gptwright.layers.attention import RotaryAttention
from gptwright.layers.blocks import PreNorm, run_blocks
from gptwright.layers.cache import CacheView
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import FeedForward, squared_relu
from gptwright.layers.init import normal_weights
from gptwright.layers.masks import Mask
from gptwright.layers.positions import Base, rotary_angles
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.models.family import Family


@settings
class ModernConfig(ModelConfig):
    """Sizes of a modern decoder. The feed-forward width is 4 × `width`."""

    family: ClassVar = "modern"
    vocab: Size = 50_304
    context: Size = 2048
    width: Size = 768
    heads: Size = 6
    kv_heads: Size = 6
    """heads of keys and values; must divide the heads"""
    layers: Layers = 12
    base: Base = 10_000.0
    """longest wavelength of the rotary positions, in turns of 2π tokens"""


PRESETS = {
    "modern-162m": ModernConfig(),
    "modern-nano": ModernConfig(vocab=2048, context=256, width=192, heads=3, kv_heads=3, layers=4),
}


class UnitNorm(nn.Module):
    """Root-mean-square norm without a gain."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        return F.rms_norm(x, (self.width,))


class Modern(Decoder):
    def __init__(self, config: ModernConfig) -> None:
        super().__init__()
        self.config = config
        width, heads = config.width, config.heads
        self.embed = Embedding(config.vocab, width)
        self.blocks = nn.ModuleList(
            PreNorm(
                UnitNorm(width),
                RotaryAttention(width, heads, config.kv_heads, width // heads, norm=UnitNorm),
                UnitNorm(width),
                FeedForward(width, 4 * width, squared_relu, bias=False),
            )
            for _ in range(config.layers)
        )
        self.norm = UnitNorm(width)
        self.unembed = Embedding(config.vocab, width)

    @property
    def output(self) -> Float[Tensor, "V C"]:
        return self.unembed.weight

    def run(
        self, x: Float[Tensor, "B T C"], positions: Int[Tensor, "#B T"], masks: Iterable[Mask], cache: CacheView | None
    ) -> Float[Tensor, "B T C"]:
        c = self.config
        angles, x = rotary_angles(positions, c.width // c.heads, c.base), self.norm(x).to(self.matrix_dtype)
        return self.norm(run_blocks(self.blocks, x, masks, angles, cache=cache))

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """N(0, 1/width); branches and the output matrix at zero, so that it starts knowing nothing."""
        normal_weights(self, seed, self.config.width**-0.5, residual=0.0)
        self.embed.weight.mul_(self.config.width**0.5)
        self.unembed.weight.zero_()


FAMILY = Family(ModernConfig, Modern, PRESETS)
