"""GPT-1 (Radford et al. 2018): a decoder with a norm after each residual sum and learned positions."""

from collections.abc import Iterable
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.settings import Layers, Size, settings
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import PostNorm, run_blocks
from gptwright.layers.cache import CacheView
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import FeedForward
from gptwright.layers.init import normal_weights
from gptwright.layers.masks import Mask
from gptwright.layers.norms import LayerNorm
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.models.family import Family


@settings
class GPT1Config(ModelConfig):
    """Sizes of a GPT-1. The feed-forward width is 4 × `width`; the output matrix is the embedding."""

    family: ClassVar = "gpt1"
    vocab: Size = 40_478
    context: Size = 512
    width: Size = 768
    heads: Size = 12
    layers: Layers = 12


# §4.1.
PRESETS = {
    "gpt1-117m": GPT1Config(),
    "gpt1-nano": GPT1Config(vocab=2048, context=256, width=192, heads=6, layers=4),
}


class GPT1(Decoder):
    def __init__(self, config: GPT1Config) -> None:
        super().__init__()
        self.config = config
        width, heads = config.width, config.heads
        self.embed = Embedding(config.vocab, width)
        self.positions = Embedding(config.context, width)
        self.blocks = nn.ModuleList(
            PostNorm(Attention(width, heads), LayerNorm(width), FeedForward(width, 4 * width), LayerNorm(width))
            for _ in range(config.layers)
        )

    def run(
        self, x: Float[Tensor, "B T C"], positions: Int[Tensor, "#B T"], masks: Iterable[Mask], cache: CacheView | None
    ) -> Float[Tensor, "B T C"]:
        x = (x + self.positions(positions)).to(self.matrix_dtype)
        return run_blocks(self.blocks, x, masks, cache=cache)

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²); biases 0, gains 1 (§4.1)."""
        normal_weights(self, seed, 0.02)


FAMILY = Family(GPT1Config, GPT1, PRESETS)
