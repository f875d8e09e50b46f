"""What a network expects at every position, at the end and, by the logit lens, after every layer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.models.bert import BERT
from gptwright.models.language_model import LanguageModel
from gptwright.objectives.language import IGNORED


@dataclass(frozen=True)
class Predictions:
    """Of T positions: the likeliest k ids with their probabilities, the entropy in nats, and the actual id.

    In a decoder the actual id is the next one, and the last position has none (probability nan, rank -1), nor has one
    before a patch of an image; an encoder that sees both sides is asked for the id that stands there.
    """

    ids: Int[Tensor, "T K"]
    probabilities: Float[Tensor, "T K"]
    entropy: Float[Tensor, "T"]
    actual: Float[Tensor, "T"]
    rank: Int[Tensor, "T"]
    """0 where the actual id is the likeliest"""


def lens_logits(network: LanguageModel, state: Float[Tensor, "T C"]) -> Float[Tensor, "T V"]:
    """The logits of a state between blocks, read as if it were the last (the logit lens, nostalgebraist 2020)."""
    if isinstance(network, BERT):
        return network.masked_logits(state)
    norm = getattr(network, "norm", nn.Identity())  # blocks of GPT-1 and the Transformer end with one
    return network.logits(norm(state))


def predictions(logits: Float[Tensor, "T V"], targets: Sequence[int], top: int) -> Predictions:
    """`targets`: the actual id of each position, IGNORED where there is none, or fewer where the last have none."""
    logprobs = logits.float().log_softmax(-1)
    best = logprobs.topk(min(top, logprobs.shape[-1]))
    tokens = len(logprobs)
    ids = torch.tensor(targets, dtype=torch.long)
    known = torch.nonzero(ids != IGNORED)[:, 0]
    theirs = logprobs[known].gather(-1, ids[known, None])
    actual, rank = torch.full((tokens,), float("nan")), torch.full((tokens,), -1)
    actual[known] = theirs[:, 0].exp()
    rank[known] = (logprobs[known] > theirs).sum(-1)
    entropy = -(logprobs.exp() * logprobs).nan_to_num(0.0).sum(-1)
    return Predictions(best.indices, best.values.exp(), entropy, actual, rank)


def lens(
    network: LanguageModel, states: Sequence[Float[Tensor, "1 T C"]], targets: Sequence[int], top: int
) -> Iterator[Predictions]:
    """After the embedding and after every block."""
    return (predictions(lens_logits(network, state[0]), targets, top) for state in states)
