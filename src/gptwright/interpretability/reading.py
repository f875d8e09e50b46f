"""One reading of a decoder: ids, and what stands in the places of images."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.layers.embedding import Embeddings
from gptwright.layers.trace import Trace
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import IGNORED


@dataclass(frozen=True)
class Reading:
    """One row of ids, and `embeddings` where they are placeholders."""

    ids: Int[Tensor, "1 T"]
    embeddings: Embeddings | None = None

    @cached_property
    def targets(self) -> list[int]:
        """The id that follows each position but the last; IGNORED where an embedding follows."""
        following = self.ids[0].clone()
        if self.embeddings:
            following[self.embeddings.positions] = IGNORED
        return following[1:].tolist()

    def logits(self, network: Decoder) -> Float[Tensor, "T V"]:
        return network.logits(network.hidden(self.ids, embeddings=self.embeddings))[0]

    def trace(self, network: Decoder) -> Trace:
        return network.trace(self.ids, self.embeddings)

    def beginning(self, tokens: int) -> "Reading":
        """Its first ids: so many tokens of the text, and the images between them."""
        told = torch.tensor(self.targets).ne(IGNORED).cumsum(0)
        end = 1 + int(told.lt(tokens).sum())
        if self.embeddings is None:
            return Reading(self.ids[:, :end])
        places, values = self.embeddings
        return Reading(self.ids[:, :end], Embeddings(places[places < end], values[places < end]))
