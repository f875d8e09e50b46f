"""The Transformer (Vaswani et al. 2017): an encoder that reads the source and a decoder that looks at it and writes.

A norm after each residual sum, ReLU between attentions, sinusoids for positions, one embedding for source, target and
output.
"""

from dataclasses import dataclass
from itertools import repeat
from typing import Annotated, Any, ClassVar, NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Layers, Range, Size, settings
from gptwright.layers.attention import Attention, CrossAttention
from gptwright.layers.blocks import PostNorm, run_blocks
from gptwright.layers.cache import Cache, CacheView, LayerCacheView, positions_of
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import FeedForward
from gptwright.layers.init import uniform_weights
from gptwright.layers.masks import CAUSAL, Mask, Padded
from gptwright.layers.norms import LayerNorm
from gptwright.layers.positions import sinusoids
from gptwright.layers.trace import Trace
from gptwright.models.config import ModelConfig
from gptwright.models.family import Family
from gptwright.models.language_model import LanguageModel


@settings
class TransformerConfig(ModelConfig):
    """Sizes of a Transformer; encoder and decoder have the same."""

    family: ClassVar = "transformer"
    vocab: Size = 37_000
    """tokens known, of both languages"""
    context: Size = 1024
    """tokens of a source or a target at most; the sinusoids themselves have no end"""
    width: Size = 512
    heads: Size = 8
    layers: Layers = 6
    """blocks of the encoder, and as many of the decoder"""
    hidden: Size = 2048
    """width of the feed-forward"""
    dropout: Annotated[float, Range(0, 1, below=True)] = 0.1
    """share of a sub-layer's outputs, and of the embeddings, that are silenced while training"""

    def __post_init__(self) -> None:
        if self.width % 2:
            raise ConfigError("an even width, half sines and half cosines", f"{self.width}", "Change it.")


# Table 3; the shared vocabulary of §5.1.
PRESETS = {
    "transformer-base": TransformerConfig(),
    "transformer-big": TransformerConfig(width=1024, heads=16, hidden=4096, dropout=0.3),
    "transformer-nano": TransformerConfig(vocab=4096, context=128, width=192, heads=6, layers=3, hidden=768),
}


class DecoderBlock(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = Attention(config.width, config.heads)
        self.cross = CrossAttention(config.width, config.heads)
        self.mlp = FeedForward(config.width, config.hidden, F.relu)
        self.norm1, self.cross_norm, self.norm2 = (LayerNorm(config.width) for _ in range(3))
        self.drop = nn.Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "R T C"], source: tuple[Tensor, Tensor], mask: Mask, cache: LayerCacheView | None
    ) -> Float[Tensor, "R T C"]:
        """`source` are this block's keys and values of the memory, `mask` says which of its places are real."""
        trace = cache if isinstance(cache, Trace) else None
        x = self.norm1(x + self.drop(self.attention(x, CAUSAL, cache)))
        x = self.cross_norm(x + self.drop(self.cross.attend_to(x, *source, mask, trace)))
        return self.norm2(x + self.drop(self.mlp(x)))


@dataclass(frozen=True)
class EncoderOutput:
    """What the encoder made of the sources, and the keys and values that each block of the decoder takes from it."""

    states: Float[Tensor, "B S C"]
    lengths: Int[Tensor, "B"]
    """real tokens of each source"""
    sources: list[tuple[Tensor, Tensor]]
    """keys and values (B, H, S, D), a pair for each block"""

    def keep(self, rows: Int[Tensor, "R"]) -> "EncoderOutput":
        """Of these sources only."""
        kept = [(keys[rows], values[rows]) for keys, values in self.sources]
        return EncoderOutput(self.states[rows], self.lengths[rows], kept)


class TracedPair(NamedTuple):
    """What was computed while a source was read and its target written."""

    encoder: Trace
    decoder: Trace
    """its `cross` says where in the source it looked"""


class Transformer(LanguageModel):
    """Sources are padded on the right; what stands beyond `lengths` changes nothing."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, heads = config.width, config.heads
        self.embed = Embedding(config.vocab, width)
        self.drop = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList(
            PostNorm(
                Attention(width, heads),
                LayerNorm(width),
                FeedForward(width, config.hidden, F.relu),
                LayerNorm(width),
                config.dropout,
            )
            for _ in range(config.layers)
        )
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.layers))

    def forward(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], target: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        return self.logits(self.decode(target, self.encode(source, lengths)))

    def encode(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], trace: Trace | None = None
    ) -> EncoderOutput:
        """Reads the sources. Raises `IndexError` beyond the context."""
        x = run_blocks(self.encoder, self._embedded(source, None), repeat(Padded(lengths)), cache=trace)
        return EncoderOutput(x, lengths, [block.cross.keys_and_values(x) for block in self.decoder])  # pyright: ignore

    def decode(
        self, target: Int[Tensor, "R T"], memory: EncoderOutput, cache: CacheView | None = None
    ) -> Float[Tensor, "R T C"]:
        """What the output matrix sees: one target a source, or as many for each, side by side.

        With a `cache`, the target follows what it holds; the caller advances it.
        """
        mask = Padded(memory.lengths)
        x = self._embedded(target, cache)
        trace = cache if isinstance(cache, Trace) else None
        if trace:
            trace.states.append(x)
        for index, block in enumerate(self.decoder):
            x = block(x, memory.sources[index], mask, cache.layer(index) if cache else None)
            if trace:
                trace.states.append(x)
        return x

    @torch.no_grad()
    def trace(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], target: Int[Tensor, "B T"]) -> TracedPair:
        """The states after every block and the attention weights of every head, of the encoder and of the decoder.

        Raises `IndexError` beyond the context.
        """
        positions_of(target, None, self.config.context)
        read, written = Trace(source.device), Trace(source.device)
        self.decode(target, self.encode(source, lengths, read), written)
        return TracedPair(read, written)

    def new_cache(self, rows: int, capacity: int) -> Cache:
        """An empty cache for `rows` targets of at most `capacity` tokens."""
        attention = cast(Any, self.decoder[0]).attention
        return Cache(len(self.decoder), rows, attention.kv_heads, capacity, attention.head_width, self.matrix_dtype,
                     device_of(self))  # fmt: skip

    def initialise(self, seed: int) -> None:
        """Glorot's uniform matrices and N(0, 1/width) embeddings, as in the authors' code; the paper does not say."""
        uniform_weights(self, seed)

    def _embedded(self, ids: Int[Tensor, "B T"], cache: CacheView | None) -> Float[Tensor, "B T C"]:
        width, positions = self.config.width, positions_of(ids, cache, self.config.context)
        return self.drop(self.embed(ids) * width**0.5 + sinusoids(positions, width)).to(self.matrix_dtype)


FAMILY = Family(TransformerConfig, Transformer, PRESETS, "encoder-decoder")
