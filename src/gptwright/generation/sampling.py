"""How the next token is drawn."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.foundations.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of one reply. Raises `InputError` for values that make no sense."""

    max_tokens: int = 256
    """the reply's length at most"""
    temperature: float = 0.7
    """0 always takes the likeliest token; 1 draws as the model believes"""
    top_k: int = 0
    """draw among the k likeliest only; 0 is off"""
    top_p: float = 1.0
    """draw among the likeliest that together have this probability"""
    stop: tuple[str, ...] = ()
    """texts that end the reply and are not part of it"""
    seed: int | None = None
    """the same seed gives the same text; none draws afresh"""

    def __post_init__(self) -> None:
        self._require("max_tokens", "at least 1", self.max_tokens >= 1)
        self._require("temperature", "from 0 to 100", 0 <= self.temperature <= 100)
        self._require("top_k", "0 or more", self.top_k >= 0)
        self._require("top_p", "above 0 and at most 1", 0 < self.top_p <= 1)
        self._require("seed", "from -2^63 to 2^64 - 1", self.seed is None or -(2**63) <= self.seed < 2**64)
        self._require("stop", "texts that are not empty", all(self.stop))

    def _require(self, name: str, needed: str, fits: bool) -> None:
        if not fits:
            raise InputError(f"{name} {needed}", repr(getattr(self, name)), "Change the setting.")


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
