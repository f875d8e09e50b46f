"""How logits become tokens."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.engine.sampling import Sampling


def draw(
    logits: Float[Tensor, "B V"], sampling: Sampling, random: torch.Generator
) -> tuple[Int[Tensor, "B"], Float[Tensor, "B"]]:
    """The chosen tokens and their log-probabilities under the temperature (before top-k and top-p cut the rest off)."""
    if sampling.temperature == 0:
        scores = logits.log_softmax(-1)
        chosen = logits.argmax(-1)
    else:
        scores = (logits / sampling.temperature).log_softmax(-1)
        chosen = _race(cut(scores, sampling.top_k, sampling.top_p), random)
    return chosen, scores.gather(1, chosen[:, None]).squeeze(1)


def cut(scores: Float[Tensor, "B V"], top_k: int, top_p: float) -> Float[Tensor, "B V"]:
    """Log-probabilities with all but the k likeliest, or the smallest set worth `top_p`, at -inf."""
    if 0 < top_k < scores.shape[-1]:
        scores = scores.masked_fill(scores < scores.topk(top_k).values[:, -1:], float("-inf"))
    if top_p < 1:
        ordered, index = scores.sort(descending=True)
        probability = ordered.softmax(-1)
        beyond = probability.cumsum(-1) - probability >= top_p
        scores = scores.masked_fill(beyond.scatter(1, index, beyond), float("-inf"))
    return scores


def _race(scores: Float[Tensor, "B V"], random: torch.Generator) -> Int[Tensor, "B"]:
    """Draws from softmax(scores): the first to finish of independent exponential clocks (the Gumbel trick).

    The processor draws them, so that a seed means the same on every device.
    """
    clocks = torch.empty(scores.shape, dtype=scores.dtype).exponential_(generator=random)
    return (scores - clocks.log().to(scores.device)).argmax(-1)
