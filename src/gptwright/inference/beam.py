"""Beam search: the likeliest target of a source, by keeping several beginnings side by side (Wu et al. 2016, §7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.models.transformer import Transformer

MAX_ROWS = 256  # beams of all sources that are searched at once
IMPOSSIBLE = float("-inf")


def gnmt_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6)^α, which log-probabilities are divided by: undivided, short targets always win."""
    return ((5 + length) / 6) ** alpha


@dataclass(frozen=True, kw_only=True)
class BeamSearch:
    """How to search; the defaults are the paper's (§6.1)."""

    beams: int = 4
    """beginnings kept side by side; 1 always takes the likeliest token"""
    alpha: float = 0.6
    """how much longer targets are helped; 0 not at all"""
    penalty: Callable[[int, float], float] = gnmt_penalty
    """what a log-probability is divided by, from the target's length with its end token, and α; monotone in length"""
    max_extra_tokens: int = 50
    """a target has at most so many tokens more than its source"""

    def __post_init__(self) -> None:
        if self.beams < 1 or self.max_extra_tokens < 0:
            raise InputError(
                "at least 1 beam and 0 extra tokens", f"{self.beams} and {self.max_extra_tokens}", "Change it."
            )
        if not -10 <= self.alpha <= 10:
            raise InputError("an alpha from -10 to 10", f"{self.alpha}", "Change it.")

    def divisor(self, length: int) -> float:
        """Of a target with so many tokens."""
        return self.penalty(length, self.alpha)


@dataclass(frozen=True)
class Hypothesis:
    """A target without its end token, and its log-probability divided by the penalty of its length."""

    ids: list[int]
    score: float


@torch.inference_mode()
def beam_search(
    model: Transformer, sources: Sequence[Sequence[int]], search: BeamSearch, *, bos: int, eos: int
) -> list[Hypothesis]:
    """The best target found for each source, in order; sources of like length share a batch.

    Targets begin after `bos`, which is not among their ids. Raises `InputError` for a source that is empty or longer
    than the context.
    """
    context = model.config.context
    for source in sources:
        if not 0 < len(source) <= context:
            raise InputError(f"a source of 1 to {context} tokens, the model's context", f"{len(source)}",
                             "Shorten it, or translate it sentence by sentence.")  # fmt: skip
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    found: dict[int, Hypothesis] = {}
    take = max(MAX_ROWS // search.beams, 1)
    for group in (order[first : first + take] for first in range(0, len(order), take)):
        batch = BeamState(model, [sources[i] for i in group], search, bos)
        while batch.step(eos):
            pass
        found |= zip(group, batch.best, strict=True)
    return [found[i] for i in range(len(sources))]


class BeamState:
    """The beginnings of targets for a batch of sources. A source that is done leaves the batch."""

    def __init__(self, model: Transformer, sources: Sequence[Sequence[int]], search: BeamSearch, bos: int) -> None:
        self.model, self.search = model, search
        device = device_of(model)
        lengths = torch.tensor([len(source) for source in sources], device=device)
        rows = pad_sequence([torch.tensor(source) for source in sources], True).to(device)
        self.encoder_output = model.encode(rows, lengths)
        self.limits = (lengths + search.max_extra_tokens).clamp(max=model.config.context)
        self.cache = model.new_cache(len(sources) * search.beams, int(self.limits.max()))
        self.ids = torch.full((len(sources), search.beams, 1), bos, device=device)
        self.scores = torch.full((len(sources), search.beams), IMPOSSIBLE, device=device)
        self.scores[:, 0] = 0.0  # all begin equal, so one of them is enough
        self.source_of = torch.arange(len(sources), device=device)  # which of the sources each row of the batch is
        self.best = [Hypothesis([], IMPOSSIBLE) for _ in sources]
        self.finished = [0 for _ in sources]

    def step(self, eos: int) -> bool:
        """One token more for every beam; false when all sources are done."""
        beams, length = self.search.beams, self.ids.shape[2]
        top, parents, tokens = self._continuations()
        over = (tokens == eos) | (length >= self.limits)[:, None]
        # A continuation that ends counts among the best `beams` only; the other `beams` are there to go on instead.
        self._finish(eos, top[:, :beams], parents, tokens, over[:, :beams] & top[:, :beams].isfinite())
        self.scores, chosen = top.masked_fill(over, IMPOSSIBLE).topk(beams)
        parents, tokens = parents.gather(1, chosen), tokens.gather(1, chosen)
        self.ids = torch.cat([self.ids.gather(1, parents[..., None].expand(-1, -1, length)), tokens[..., None]], 2)
        self._keep_beams(parents, self._can_improve())
        return len(self.source_of) > 0

    def _continuations(self) -> tuple[Float[Tensor, "B N"], Int[Tensor, "B N"], Int[Tensor, "B N"]]:
        """The best 2 · beams, from the likeliest: log-probability, the beam that goes on, its next token."""
        states = self.model.decode(self.ids[..., -1].reshape(-1, 1), self.encoder_output, self.cache)[:, 0]
        self.cache.advance(self.cache.lengths.new_ones(len(states)))
        logprobs = self.model.logits(states).log_softmax(-1).unflatten(0, self.scores.shape)
        all_scores = (self.scores[..., None] + logprobs).flatten(1)
        top, flat = all_scores.topk(min(2 * self.search.beams, all_scores.shape[1]))
        return top, flat // logprobs.shape[2], flat % logprobs.shape[2]

    def _finish(
        self,
        eos: int,
        top: Float[Tensor, "B K"],
        parents: Int[Tensor, "B N"],
        tokens: Int[Tensor, "B N"],
        over: Bool[Tensor, "B K"],
    ) -> None:
        scores = top / self.search.divisor(self.ids.shape[2])
        for row, place in over.nonzero().tolist():
            source, score = int(self.source_of[row]), float(scores[row, place])
            self.finished[source] += 1
            if score > self.best[source].score:
                ids = [*self.ids[row, parents[row, place], 1:].tolist(), int(tokens[row, place])]
                self.best[source] = Hypothesis(ids[:-1] if ids[-1] == eos else ids, score)

    def _can_improve(self) -> Bool[Tensor, "B"]:
        """Where fewer targets than beams have finished, and the likeliest beginning may still win: it can only become
        less likely, and at best be divided by the largest penalty to come."""
        found: list[bool] = []
        for row, source in enumerate(self.source_of.tolist()):
            to_come = (self.ids.shape[2], int(self.limits[row]))
            bound = float(self.scores[row, 0]) / max(self.search.divisor(length) for length in to_come)
            found.append(self.finished[source] < self.search.beams and bound > self.best[source].score)
        return torch.tensor(found, device=self.source_of.device)

    def _keep_beams(self, parents: Int[Tensor, "B K"], goes_on: Bool[Tensor, "B"]) -> None:
        """Every beam takes over what its parent has read; sources that are done leave."""
        rows = parents + self.search.beams * torch.arange(len(parents), device=parents.device)[:, None]
        self.cache.reorder(rows[goes_on].flatten())
        if not goes_on.all():
            kept = goes_on.nonzero().squeeze(1)
            self.encoder_output = self.encoder_output.keep(kept)
            self.limits, self.ids, self.scores = self.limits[kept], self.ids[kept], self.scores[kept]
            self.source_of = self.source_of[kept]
