"""BERT (Devlin et al. 2018): an encoder that sees both directions, with heads for masked words and next sentences."""

from itertools import repeat
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.settings import Layers, Size, settings
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import PostNorm, run_blocks
from gptwright.layers.cache import positions_of
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import FeedForward
from gptwright.layers.init import truncated_weights
from gptwright.layers.masks import FULL, Padded
from gptwright.layers.norms import LayerNorm
from gptwright.layers.trace import Trace
from gptwright.models.config import ModelConfig
from gptwright.models.family import Family
from gptwright.models.pretraining_heads import MaskedHead, PretrainingModel

EPSILON = 1e-12
SEGMENTS = 2


@settings
class BERTConfig(ModelConfig):
    """Sizes of a BERT. The feed-forward width is 4 × `width`; the output matrix is the embedding."""

    family: ClassVar = "bert"
    vocab: Size = 30_522
    context: Size = 512
    width: Size = 768
    heads: Size = 12
    layers: Layers = 12


# §3 of the paper; the four small ones are of the released README.
PRESETS = {
    "bert-base": BERTConfig(),
    "bert-large": BERTConfig(width=1024, heads=16, layers=24),
    "bert-medium": BERTConfig(width=512, heads=8, layers=8),
    "bert-small": BERTConfig(width=512, heads=8, layers=4),
    "bert-mini": BERTConfig(width=256, heads=4, layers=4),
    "bert-tiny": BERTConfig(width=128, heads=2, layers=2),
    "bert-nano": BERTConfig(vocab=2048, context=256, width=192, heads=6, layers=4),
}


class BERT(PretrainingModel):
    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.embed = Embedding(config.vocab, width)
        self.positions = Embedding(config.context, width)
        self.segments = Embedding(SEGMENTS, width)
        self.norm = LayerNorm(width, EPSILON)
        self.blocks = nn.ModuleList(
            PostNorm(
                Attention(width, config.heads),
                LayerNorm(width, EPSILON),
                FeedForward(width, 4 * width, F.gelu),
                LayerNorm(width, EPSILON),
            )
            for _ in range(config.layers)
        )
        self.pooler = nn.Linear(width, width)
        self.masked = MaskedHead(width, config.vocab, EPSILON)
        self.next = nn.Linear(width, 2)

    def encode(
        self,
        ids: Int[Tensor, "B T"],
        segments: Int[Tensor, "B T"] | None = None,
        lengths: Int[Tensor, "B"] | None = None,
        trace: Trace | None = None,
    ) -> Float[Tensor, "B T C"]:
        """States of all tokens. `segments`: 0 for the first text, the default, 1 for the second; what stands beyond a
        row's length is not seen. Raises `IndexError` beyond the context."""
        places = positions_of(ids, None, self.config.context)
        segments = torch.zeros_like(ids) if segments is None else segments
        x = self.norm(self.embed(ids) + self.segments(segments) + self.positions(places)).to(self.matrix_dtype)
        mask = FULL if lengths is None else Padded(lengths)
        return run_blocks(self.blocks, x, repeat(mask), cache=trace)

    @torch.no_grad()
    def trace(
        self,
        ids: Int[Tensor, "B T"],
        segments: Int[Tensor, "B T"] | None = None,
        lengths: Int[Tensor, "B"] | None = None,
    ) -> Trace:
        """The states after every block and the attention weights of every head; arguments as those of `encode`."""
        trace = Trace(ids.device)
        self.encode(ids, segments, lengths, trace)
        return trace

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Masked-language logits of one text a row, all of it real."""
        return self.masked_logits(self.encode(ids))

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²) without what lies beyond two deviations, as in the released code; biases 0, gains 1."""
        truncated_weights(self, seed, 0.02)


FAMILY = Family(BERTConfig, BERT, PRESETS, "encoder")
