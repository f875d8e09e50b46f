"""GPT-2 (Radford et al. 2019): a pre-norm decoder with learned positions and a norm after the last block."""

from collections.abc import Iterable
from math import sqrt
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.settings import Layers, Size, settings
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import PreNorm, run_blocks
from gptwright.layers.cache import CacheView
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import Activation, FeedForward, gelu_tanh
from gptwright.layers.init import normal_weights
from gptwright.layers.masks import Mask
from gptwright.layers.norms import LayerNorm
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.models.family import Family


@settings
class GPT2Config(ModelConfig):
    """Sizes of a GPT-2. The feed-forward width is 4 × `width`; the output matrix is the embedding."""

    family: ClassVar = "gpt2"
    vocab: Size = 50_257
    context: Size = 1024
    width: Size = 768
    heads: Size = 12
    layers: Layers = 12


# Table 2 of the paper; the names are those of the released weights.
PRESETS = {
    "gpt2-124m": GPT2Config(),
    "gpt2-355m": GPT2Config(width=1024, heads=16, layers=24),
    "gpt2-774m": GPT2Config(width=1280, heads=20, layers=36),
    "gpt2-1.5b": GPT2Config(width=1600, heads=25, layers=48),
    "gpt2-nano": GPT2Config(vocab=2048, context=256, width=192, heads=6, layers=4),
}


class GPT2(Decoder):
    def __init__(self, config: GPT2Config, activation: Activation = gelu_tanh) -> None:
        super().__init__()
        self.config = config
        width, heads = config.width, config.heads
        self.embed = Embedding(config.vocab, width)
        self.positions = Embedding(config.context, width)
        self.blocks = nn.ModuleList(
            PreNorm(
                LayerNorm(width),
                Attention(width, heads),
                LayerNorm(width),
                FeedForward(width, 4 * width, activation),
            )
            for _ in range(config.layers)
        )
        self.norm = LayerNorm(width)

    def run(
        self, x: Float[Tensor, "B T C"], positions: Int[Tensor, "#B T"], masks: Iterable[Mask], cache: CacheView | None
    ) -> Float[Tensor, "B T C"]:
        x = (x + self.positions(positions)).to(self.matrix_dtype)
        return self.norm(run_blocks(self.blocks, x, masks, cache=cache))

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²), residual outputs scaled by 1/√(number of residual layers) (§2.3); biases 0, gains 1."""
        normal_weights(self, seed, 0.02, residual=0.02 / sqrt(2 * self.config.layers))


FAMILY = Family(GPT2Config, GPT2, PRESETS)
