"""What every decoder has besides its wiring: a reading of ids by masks, positions and a cache."""

from collections.abc import Iterable
from itertools import cycle

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.layers.cache import CacheView, positions_of
from gptwright.layers.embedding import Embeddings
from gptwright.layers.masks import CAUSAL, Documents, Mask, within
from gptwright.layers.trace import Trace
from gptwright.models.language_model import LanguageModel


class Decoder(LanguageModel):
    """A language model that reads from left to right. A family writes the blocks, `run` and `initialise`."""

    blocks: nn.ModuleList
    masks: tuple[Mask, ...] = (CAUSAL,)
    """what the first layer sees, the second, …, and over again"""
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
        `embeddings` stand where ids are placeholders. Raises `IndexError` beyond the context.
        """
        positions = positions_of(ids, cache, self.config.context)
        if documents:
            positions = documents.positions()
        masks = cycle(within(mask, documents) for mask in self.masks)
        return self.run(self.embedded(ids, embeddings), positions, masks, cache)

    def run(
        self, x: Float[Tensor, "B T C"], positions: Int[Tensor, "#B T"], masks: Iterable[Mask], cache: CacheView | None
    ) -> Float[Tensor, "B T C"]:
        """The family's wiring: from the embeddings of ids that stand at `positions` to what the output matrix sees."""
        raise NotImplementedError

    def embedded(self, ids: Int[Tensor, "B T"], embeddings: Embeddings | None = None) -> Float[Tensor, "B T C"]:
        """The vector of each id, or what stands in its place."""
        x = self.embed(ids)
        if embeddings is None:
            return x
        positions, values = embeddings
        return x.flatten(0, 1).index_copy(0, positions, values.to(x.dtype)).view_as(x)

    @torch.no_grad()
    def trace(self, ids: Int[Tensor, "B T"], embeddings: Embeddings | None = None) -> Trace:
        """The states after every block and the attention weights of every head, for these ids, with `embeddings` where
        they are placeholders.

        Raises `IndexError` beyond the context.
        """
        positions_of(ids, None, self.config.context)
        trace = Trace(ids.device)
        self.hidden(ids, trace, embeddings=embeddings)
        return trace

    @property
    def matrix_dtype(self) -> torch.dtype:
        return self.states or super().matrix_dtype
