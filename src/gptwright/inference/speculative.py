"""A smaller network of the same tokens proposes what the large one then checks (Leviathan et al. 2023).

Both draw with the same number for the same place, so the small one's token is the large one's wherever their
distributions are alike, and what is accepted is exactly what the large one alone would have written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import ConfigError
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.kv_cache import KVCache, Span
from gptwright.inference.packed_model import prepared, refresh
from gptwright.inference.request import Request
from gptwright.inference.sampler import SampleRow, draw
from gptwright.inference.sampling import Sampling
from gptwright.models.decoder import Decoder


@dataclass
class Progress:
    """What the small network has read of a request: so many of its ids."""

    sampling: Sampling
    read: int = 0


class DraftModel:
    """Proposes up to `most` tokens a step. Its keys lie at the addresses that the large network's have in its arena."""

    def __init__(self, network: Decoder, most: int, dtype: str, addresses: int) -> None:
        self.view, self.most, self.context = prepared(network, dtype), most, network.config.context
        self.arena = KVCache.of(self.view, addresses)
        self.device = device_of(network)
        self._progress: dict[Request, Progress] = {}

    def propose(self, requests: Sequence[Request]) -> None:
        """Sets the `drafts` of requests that are about to draw a token; of others nothing is known any longer, as they
        may have lost their memory."""
        self._progress = {request: self._at(request) for request in requests}
        for request, progress in self._progress.items():
            progress.read = min(progress.read, len(request.ids) - 1)  # behind that lie drafts that were wrong
        for number in range(self.most):
            able = [request for request in requests if self._room(request) and len(request.drafts) == number]
            if able:
                self._propose_one(able)

    def told(self, request: Request, proposed: int, accepted: int) -> None:
        """How many of its drafts were checked, and how many were right."""

    def leave(self, request: Request) -> None:
        """It has ended."""
        self._progress.pop(request, None)

    def carry_out(self, copies: Sequence[Copy]) -> None:
        """The large network's memory moves, and ours with it."""
        self.arena.carry_out(copies)

    def refresh(self) -> None:
        """Parameters have changed."""
        refresh(self.view)
        self._progress.clear()

    def _room(self, request: Request) -> bool:
        """For the token that has to be read before another can be proposed."""
        assert request.lease
        return len(request.ids) + len(request.drafts) <= min(request.lease.room, self.context - 1)

    def _propose_one(self, requests: Sequence[Request]) -> None:
        ids: list[int] = []
        spans: list[Span] = []
        rows: list[SampleRow] = []
        ends: list[int] = []
        for request in requests:
            progress = self._progress[request]
            known = request.ids + request.drafts
            assert request.lease
            spans.append(Span(request.lease, progress.read, len(known) - progress.read, request.prompt))
            ids += known[progress.read :]
            ends.append(len(ids) - 1)
            rows.append(SampleRow(progress.sampling, request.seed, len(known) - request.prompt))
        states = self.view.hidden(torch.tensor([ids], device=self.device), self.arena.step(spans))[0]
        drawn = draw(self.view.logits(states[torch.tensor(ends, device=self.device)]), rows)
        for request, token in zip(requests, drawn.tokens, strict=True):
            self._progress[request].read = len(request.ids) + len(request.drafts)
            request.drafts.append(token)

    def _at(self, request: Request) -> Progress:
        known = self._progress.get(request)
        return known or Progress(replace(request.sampling, logprobs=None, sampled_logprobs=False, n=1, best_of=None))


def check_draft(network: Decoder, draft: Decoder) -> None:
    """Raises `ConfigError` unless both know the same tokens."""
    ours, theirs = network.config.vocab, draft.config.vocab
    if ours != theirs:
        raise ConfigError(
            f"a draft model of the same {ours:,} tokens", f"{theirs:,}", "Use one with the same tokenizer."
        )
