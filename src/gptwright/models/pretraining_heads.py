"""What an encoder's states say of masked words, and of whether one text follows another (Devlin et al. 2018, §3.1)."""

from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.foundations.errors import ArtifactError
from gptwright.layers.norms import LayerNorm
from gptwright.models.language_model import LanguageModel

Part = TypeVar("Part", bound=nn.Module)


class MaskedHead(nn.Module):
    """What the output matrix sees of a state, and the bias that goes with that matrix."""

    def __init__(self, width: int, vocab: int, epsilon: float) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = LayerNorm(width, epsilon)
        self.bias = nn.Parameter(torch.zeros(vocab))

    def forward(self, states: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        return self.norm(F.gelu(self.dense(states)))


class PretrainingModel(LanguageModel):
    """The heads and the pooler are None where a folder came without them; what needs them raises `ArtifactError`."""

    pooler: nn.Linear | None
    masked: MaskedHead | None
    next: nn.Linear | None

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
    def output_bias(self) -> Float[Tensor, "V"]:
        return _there(self.masked, "masked-language head").bias


def _there(part: Part | None, name: str) -> Part:
    if part is None:
        raise ArtifactError(f"a {name}", "a model that came without one", "Take a folder of a BertForPreTraining.")
    return part
