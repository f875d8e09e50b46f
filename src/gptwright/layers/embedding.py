"""A vector for each token, or for each place."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """Zeros until a family draws its weights: torch's own draw would be made for nothing, and on the meta device, where
    models are only counted or about to be read, it imports a compiler for two seconds."""

    new: range = range(0)
    """ids whose vectors were added to a trained matrix"""

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)


class NewRowsEmbedding(Embedding):
    """A frozen embedding of which only the vectors of new tokens learn.

    They are a view of the matrix: what they learn, an output matrix that is tied to it holds too. A gradient comes from
    the reading alone, so that none of the whole vocabulary is computed.
    """

    def __init__(self, embedding: Embedding) -> None:
        super().__init__(embedding.num_embeddings, embedding.embedding_dim, device="meta")
        self.weight, self.new = embedding.weight.requires_grad_(False), embedding.new
        self.lora_rows = nn.Parameter(self.weight.data[self.new.start : self.new.stop])

    def forward(self, input: Int[Tensor, "*B"]) -> Float[Tensor, "*B C"]:
        x = super().forward(input)
        for id, row in zip(self.new, self.lora_rows, strict=True):
            x = torch.where((input == id)[..., None], row, x)
        return x

    def plain(self) -> Embedding:
        """The whole matrix again, with what its new rows have learned."""
        found = Embedding(self.num_embeddings, self.embedding_dim, device="meta")
        found.weight, found.new = self.weight, self.new
        return found


class Embeddings(NamedTuple):
    """What is read instead of the embeddings of placeholder ids, such as the patches of an image."""

    positions: Int[Tensor, "N"]
    """of the placeholders, in the batch's ids one row after another"""
    values: Float[Tensor, "N C"]
