"""What every decoder has besides its wiring: logits from states, positions, an empty cache."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.layers.cache import CacheView, positions_of
from gptwright.layers.embedding import Embeddings
from gptwright.layers.masks import Documents
from gptwright.layers.trace import Trace
from gptwright.layers.vocabulary import WHOLE, Vocabulary


class Decoder(nn.Module):
    """A language model that reads from left to right. A family writes the blocks, `hidden` and `initialise`."""

    config: Any
    embed: nn.Embedding
    blocks: nn.ModuleList
    vocabulary: Vocabulary = WHOLE
    states: torch.dtype | None = None
    """the format of what passes between layers, where it is not that of their matrices"""

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        return self.logits(self.hidden(ids))

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        cache: CacheView | None = None,
        documents: Documents | None = None,
        embeddings: Embeddings | None = None,
    ) -> Float[Tensor, "B T C"]:
        """What the output matrix sees. With a `cache`, ids follow what it holds; the caller advances it.

        With `documents` each is read as if it stood alone: nothing of the others is seen, and positions begin at 0.
        `embeddings` stand where ids are placeholders.
        """
        raise NotImplementedError

    def embedded(self, ids: Int[Tensor, "B T"], embeddings: Embeddings | None = None) -> Float[Tensor, "B T C"]:
        """The vector of each id, or what stands in its place."""
        x = self.embed(ids)
        if embeddings is None:
            return x
        positions, values = embeddings
        return x.flatten(0, 1).index_copy(0, positions, values.to(x.dtype)).view_as(x)

    @torch.no_grad()
    def trace(self, ids: Int[Tensor, "B T"]) -> Trace:
        """The states after every block and the attention weights of every head, for these ids.

        Raises `IndexError` beyond the context.
        """
        self.positions_of(ids, None)
        trace = Trace(ids.device)
        self.hidden(ids, trace)
        return trace

    def initialise(self, seed: int) -> None:
        """Fresh weights, a pure function of the seed."""
        raise NotImplementedError

    @property
    def output(self) -> Float[Tensor, "V C"]:
        """The output matrix: the embedding, unless a family has another."""
        return self.embed.weight

    def logits(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B V"]:
        return self.vocabulary.scored(hidden, self.output)

    @property
    def matrix_dtype(self) -> torch.dtype:
        """The format that linear layers compute in; embeddings, and so the logits, stay in float32."""
        return self.states or next(part.weight.dtype for part in self.blocks.modules() if isinstance(part, nn.Linear))

    def positions_of(
        self, ids: Int[Tensor, "B T"], cache: CacheView | None, documents: Documents | None = None
    ) -> Int[Tensor, "#B T"]:
        """Where the ids stand, in their document if there are several. Raises `IndexError` beyond the context."""
        positions = positions_of(ids, cache, self.config.context)
        return documents.positions() if documents else positions
