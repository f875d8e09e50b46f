"""A vector for each token, or for each place."""

from torch import nn


class Embedding(nn.Embedding):
    """Zeros until a family draws its weights: torch's own draw would be made for nothing, and on the meta device, where
    models are only counted or about to be read, it imports a compiler for two seconds."""

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
