"""GPT-1 (Radford et al. 2018): a decoder with a norm after each residual sum and learned positions."""

from itertools import repeat
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.settings import Layers, Size, settings
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import run_blocks
from gptwright.layers.cache import CacheView, LayerCacheView
from gptwright.layers.embedding import Embedding, Embeddings
from gptwright.layers.feedforward import FeedForward
from gptwright.layers.init import normal_weights
from gptwright.layers.masks import CAUSAL, Documents, Mask, within
from gptwright.layers.norms import LayerNorm
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.models.family import Family


@settings
class GPT1Config(ModelConfig):
    """Sizes of a GPT-1. The feed-forward width is 4 × `width`; the output matrix is the embedding."""

    family: ClassVar = "gpt1"
    vocab: Size = 40_478
    """tokens known"""
    context: Size = 512
    """tokens seen at once"""
    width: Size = 768
    """numbers that stand for one token"""
    heads: Size = 12
    """attention heads; must divide the width"""
    layers: Layers = 12
    """blocks"""


# §4.1.
PRESETS = {
    "gpt1-117m": GPT1Config(),
    "gpt1-nano": GPT1Config(vocab=2048, context=256, width=192, heads=6, layers=4),
}


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.mlp = FeedForward(width, 4 * width)
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)

    def forward(self, x: Float[Tensor, "B T C"], mask: Mask, cache: LayerCacheView | None) -> Float[Tensor, "B T C"]:
        x = self.norm1(x + self.attention(x, mask, cache))
        return self.norm2(x + self.mlp(x))


class GPT1(Decoder):
    def __init__(self, config: GPT1Config) -> None:
        super().__init__()
        self.config = config
        self.embed = Embedding(config.vocab, config.width)
        self.positions = Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        cache: CacheView | None = None,
        documents: Documents | None = None,
        embeddings: Embeddings | None = None,
    ) -> Float[Tensor, "B T C"]:
        x = self.embedded(ids, embeddings) + self.positions(self.positions_of(ids, cache, documents))
        return run_blocks(self.blocks, x.to(self.matrix_dtype), repeat(within(CAUSAL, documents)), cache=cache)

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²); biases 0, gains 1 (§4.1)."""
        normal_weights(self, seed, 0.02)


FAMILY = Family(
    name="gpt1",
    config=GPT1Config,
    model=GPT1,
    presets=PRESETS,
)
