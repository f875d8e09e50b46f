"""What every family's network has besides its wiring: sizes, an embedding that scores tokens too, fresh weights."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.layers.vocabulary import WHOLE, Vocabulary


class LanguageModel(nn.Module):
    """A family adds its layers, what reads them, and `initialise`."""

    config: Any
    embed: nn.Embedding
    vocabulary: Vocabulary = WHOLE

    def initialise(self, seed: int) -> None:
        """Fresh weights, a pure function of the seed."""
        raise NotImplementedError

    @property
    def output(self) -> Float[Tensor, "V C"]:
        """The output matrix: the embedding, unless a family has another."""
        return self.embed.weight

    def logits(self, states: Float[Tensor, "*B C"]) -> Float[Tensor, "*B V"]:
        return self.vocabulary.scored(states, self.output)

    @property
    def matrix_dtype(self) -> torch.dtype:
        """The format that linear layers compute in; embeddings, and so the logits, stay in float32."""
        return next(part.weight.dtype for part in self.modules() if isinstance(part, nn.Linear))
