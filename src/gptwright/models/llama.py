"""LLaMA 1, 2, 3 (Touvron et al. 2023; Grattafiori et al. 2024): RMSNorm, rotary positions, SwiGLU, grouped keys."""

from collections.abc import Iterable
from math import sqrt
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.settings import Epsilon, Layers, Size, settings
from gptwright.layers.attention import RotaryAttention
from gptwright.layers.blocks import PreNorm, run_blocks
from gptwright.layers.cache import CacheView
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import SwiGLU
from gptwright.layers.init import normal_weights
from gptwright.layers.masks import Mask
from gptwright.layers.norms import RMSNorm
from gptwright.layers.positions import Base, RopeScaling, rotary_angles
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.models.family import Family


@settings
class LlamaConfig(ModelConfig):
    """Sizes of a LLaMA."""

    family: ClassVar = "llama"
    vocab: Size = 32_000
    context: Size = 2048
    width: Size = 4096
    heads: Size = 32
    kv_heads: Size = 32
    """heads of keys and values; must divide the heads"""
    layers: Layers = 32
    hidden: Size = 11_008
    """width of the feed-forward"""
    base: Base = 10_000.0
    """longest wavelength of the rotary positions, in turns of 2π tokens"""
    epsilon: Epsilon = 1e-5
    """of the norms"""
    tied: bool = False
    """the output matrix is the embedding"""
    scaling: RopeScaling | None = None
    """stretched wavelengths (LLaMA 3.1)"""


THREE: dict[str, Any] = {"vocab": 128_256, "context": 8192, "base": 500_000.0, "kv_heads": 8}
STRETCHED: dict[str, Any] = {
    "context": 131_072,
    "scaling": RopeScaling(factor=8.0, low=1.0, high=4.0, original_context=8192),
}

# LLaMA 1, table 2; LLaMA 2, table 1; LLaMA 3, table 3; feed-forward widths and grouped keys as in the released files.
PRESETS = {
    "llama-7b": LlamaConfig(epsilon=1e-6),
    "llama-13b": LlamaConfig(width=5120, heads=40, kv_heads=40, layers=40, hidden=13_824, epsilon=1e-6),
    "llama-33b": LlamaConfig(width=6656, heads=52, kv_heads=52, layers=60, hidden=17_920, epsilon=1e-6),
    "llama-65b": LlamaConfig(width=8192, heads=64, kv_heads=64, layers=80, hidden=22_016, epsilon=1e-6),
    "llama2-7b": LlamaConfig(context=4096),
    "llama2-13b": LlamaConfig(context=4096, width=5120, heads=40, kv_heads=40, layers=40, hidden=13_824),
    "llama2-70b": LlamaConfig(context=4096, width=8192, heads=64, kv_heads=8, layers=80, hidden=28_672),
    "llama3-8b": LlamaConfig(**THREE, hidden=14_336),
    "llama3-70b": LlamaConfig(**THREE, width=8192, heads=64, layers=80, hidden=28_672),
    "llama3.1-8b": LlamaConfig(**THREE | STRETCHED, hidden=14_336),
    "llama3.1-70b": LlamaConfig(**THREE | STRETCHED, width=8192, heads=64, layers=80, hidden=28_672),
    "llama3.1-405b": LlamaConfig(**THREE | STRETCHED, width=16_384, heads=128, layers=126, hidden=53_248),
    "llama-nano": LlamaConfig(
        vocab=2048, context=256, width=192, heads=6, kv_heads=2, layers=4, hidden=512, tied=True
    ),
}  # fmt: skip


class Llama(Decoder):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        width, heads, epsilon = config.width, config.heads, config.epsilon
        self.embed = Embedding(config.vocab, width)
        self.blocks = nn.ModuleList(
            PreNorm(
                RMSNorm(width, epsilon),
                RotaryAttention(width, heads, config.kv_heads, width // heads),
                RMSNorm(width, epsilon),
                SwiGLU(width, config.hidden),
            )
            for _ in range(config.layers)
        )
        self.norm = RMSNorm(width, epsilon)
        self.unembed = None if config.tied else Embedding(config.vocab, width)

    @property
    def output(self) -> Float[Tensor, "V C"]:
        return (self.unembed or self.embed).weight

    def run(
        self, x: Float[Tensor, "B T C"], positions: Int[Tensor, "#B T"], masks: Iterable[Mask], cache: CacheView | None
    ) -> Float[Tensor, "B T C"]:
        c = self.config
        angles = rotary_angles(positions, c.width // c.heads, c.base, c.scaling)
        return self.norm(run_blocks(self.blocks, x.to(self.matrix_dtype), masks, angles, cache=cache))

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²), residual outputs scaled as GPT-2's; the papers do not say."""
        normal_weights(self, seed, 0.02, residual=0.02 / sqrt(2 * self.config.layers))


FAMILY = Family(LlamaConfig, Llama, PRESETS)
