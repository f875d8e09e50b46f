"""A vector for each token, or for each place."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """Zeros until a family draws its weights: torch's own draw would be made for nothing, and on the meta device, where
    models are only counted or about to be read, it imports a compiler for two seconds."""

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)


class Embeddings(NamedTuple):
    """What is read instead of the embeddings of placeholder ids, such as the patches of an image."""

    positions: Int[Tensor, "N"]
    """of the placeholders, in the batch's ids one row after another"""
    values: Float[Tensor, "N C"]
