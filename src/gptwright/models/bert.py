"""BERT (Devlin et al. 2018): an encoder that sees both directions, with heads for masked words and next sentences."""

from itertools import repeat
from typing import ClassVar, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.settings import Layers, Size, settings
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import run_blocks
from gptwright.layers.cache import LayerCacheView, positions_of
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import FeedForward
from gptwright.layers.init import truncated_weights
from gptwright.layers.masks import FULL, Mask, Padded
from gptwright.layers.norms import LayerNorm
from gptwright.layers.trace import Trace
from gptwright.layers.vocabulary import WHOLE, Vocabulary
from gptwright.models.config import ModelConfig
from gptwright.models.family import Family

EPSILON = 1e-12
SEGMENTS = 2
Part = TypeVar("Part", bound=nn.Module)


@settings
class BERTConfig(ModelConfig):
    """Sizes of a BERT. The feed-forward width is 4 × `width`; the output matrix is the embedding."""

    family: ClassVar = "bert"
    vocab: Size = 30_522
    """tokens known"""
    context: Size = 512
    """tokens seen at once"""
    width: Size = 768
    """numbers that stand for one token"""
    heads: Size = 12
    """attention heads; must divide the width"""
    layers: Layers = 12
    """blocks"""


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


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.mlp = FeedForward(width, 4 * width, F.gelu)
        self.norm1, self.norm2 = LayerNorm(width, EPSILON), LayerNorm(width, EPSILON)

    def forward(
        self, x: Float[Tensor, "B T C"], mask: Mask, cache: LayerCacheView | None = None
    ) -> Float[Tensor, "B T C"]:
        x = self.norm1(x + self.attention(x, mask, cache))
        return self.norm2(x + self.mlp(x))


class MaskedHead(nn.Module):
    """What the output matrix sees of a state, and the bias that goes with that matrix."""

    def __init__(self, width: int, vocab: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = LayerNorm(width, EPSILON)
        self.bias = nn.Parameter(torch.zeros(vocab))

    def forward(self, states: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        return self.norm(F.gelu(self.dense(states)))


class BERT(nn.Module):
    """The heads and the pooler are None where a folder came without them; what needs them raises `ArtifactError`."""

    vocabulary: Vocabulary = WHOLE

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = Embedding(config.vocab, config.width)
        self.positions = Embedding(config.context, config.width)
        self.segments = Embedding(SEGMENTS, config.width)
        self.norm = LayerNorm(config.width, EPSILON)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.pooler: nn.Linear | None = nn.Linear(config.width, config.width)
        self.masked: MaskedHead | None = MaskedHead(config.width, config.vocab)
        self.next: nn.Linear | None = nn.Linear(config.width, 2)

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

    def masked_states(self, states: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        """What the output matrix and its bias see."""
        return _there(self.masked, "masked-language head")(states)

    def masked_logits(self, states: Float[Tensor, "*B C"]) -> Float[Tensor, "*B V"]:
        """Raw scores of the token that stands, or stood, at each place, in float32."""
        return self.vocabulary.joined(self.masked_states(states).float() @ self.output.T + self.output_bias)

    def pooled(self, states: Float[Tensor, "B T C"]) -> Float[Tensor, "B C"]:
        """One vector a row, from its first token, [CLS]."""
        return _there(self.pooler, "pooler")(states[:, 0]).tanh()

    def next_logits(self, states: Float[Tensor, "B T C"]) -> Float[Tensor, "B 2"]:
        """Raw scores: the second text follows the first; it is from elsewhere."""
        return _there(self.next, "next-sentence head")(self.pooled(states)).float()

    @property
    def output(self) -> Float[Tensor, "V C"]:
        """The output matrix: the embedding."""
        return self.embed.weight

    @property
    def output_bias(self) -> Float[Tensor, "V"]:
        return _there(self.masked, "masked-language head").bias

    @property
    def matrix_dtype(self) -> torch.dtype:
        """The format that linear layers compute in; embeddings, and so the masked logits, stay in float32."""
        return next(part.weight.dtype for part in self.blocks.modules() if isinstance(part, nn.Linear))

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²) without what lies beyond two deviations, as in the released code; biases 0, gains 1."""
        truncated_weights(self, seed, 0.02)


def _there(part: Part | None, name: str) -> Part:
    if part is None:
        raise ArtifactError(f"a {name}", "a model that came without one", "Take a folder of a BertForPreTraining.")
    return part


FAMILY = Family(
    name="bert",
    kind="encoder",
    config=BERTConfig,
    model=BERT,
    presets=PRESETS,
)
