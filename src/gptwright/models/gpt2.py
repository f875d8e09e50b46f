"""GPT-2 (Radford et al. 2019): a pre-norm decoder with learned positions and a norm after the last block."""

from itertools import repeat
from math import sqrt
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
class GPT2Config(ModelConfig):
    """Sizes of a GPT-2. The feed-forward width is 4 × `width`; the output matrix is the embedding."""

    family: ClassVar = "gpt2"
    vocab: Size = 50_257
    """tokens known"""
    context: Size = 1024
    """tokens seen at once"""
    width: Size = 768
    """numbers that stand for one token"""
    heads: Size = 12
    """attention heads; must divide the width"""
    layers: Layers = 12
    """blocks"""


# Table 2 of the paper; the names are those of the released weights.
PRESETS = {
    "gpt2-124m": GPT2Config(),
    "gpt2-355m": GPT2Config(width=1024, heads=16, layers=24),
    "gpt2-774m": GPT2Config(width=1280, heads=20, layers=36),
    "gpt2-1.5b": GPT2Config(width=1600, heads=25, layers=48),
    "gpt2-nano": GPT2Config(vocab=2048, context=256, width=192, heads=6, layers=4),
}


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = FeedForward(width, 4 * width)

    def forward(self, x: Float[Tensor, "B T C"], mask: Mask, cache: LayerCacheView | None) -> Float[Tensor, "B T C"]:
        x = x + self.attention(self.norm1(x), mask, cache)
        return x + self.mlp(self.norm2(x))


class GPT2(Decoder):
    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        self.embed = Embedding(config.vocab, config.width)
        self.positions = Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = LayerNorm(config.width)

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        cache: CacheView | None = None,
        documents: Documents | None = None,
        embeddings: Embeddings | None = None,
    ) -> Float[Tensor, "B T C"]:
        x = self.embedded(ids, embeddings) + self.positions(self.positions_of(ids, cache, documents))
        x = run_blocks(self.blocks, x.to(self.matrix_dtype), repeat(within(CAUSAL, documents)), cache=cache)
        return self.norm(x)

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²), residual outputs scaled by 1/√(number of residual layers) (§2.3); biases 0, gains 1."""
        normal_weights(self, seed, 0.02, residual=0.02 / sqrt(2 * self.config.layers))


FAMILY = Family(
    name="gpt2",
    config=GPT2Config,
    model=GPT2,
    presets=PRESETS,
)
