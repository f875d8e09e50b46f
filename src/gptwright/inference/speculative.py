"""Speculative decoding: a smaller draft model proposes tokens that the large one verifies (Leviathan et al. 2023).

Both sample a position with the same uniform number, so the draft's token is the large model's wherever their
distributions are alike, and what is accepted is exactly what the large model alone would have written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import ConfigError
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.kv_cache import KVCache, Span
from gptwright.inference.packed_model import pack_model, refresh
from gptwright.inference.request import Request
from gptwright.inference.sampler import SampleRow, sample
from gptwright.inference.sampling import Sampling
from gptwright.models.decoder import Decoder


@dataclass
class DraftProgress:
    """How many ids of a request the draft model has computed."""

    sampling: Sampling
    computed: int = 0


class DraftModel:
    """A `Proposer` of up to `most` tokens a step. Its keys have the large model's addresses."""

    def __init__(self, network: Decoder, most: int, dtype: str, addresses: int) -> None:
        self.view, self.most, self.context = pack_model(network, dtype), most, network.config.context
        self.kv_cache = KVCache.of(self.view, addresses)
        self.device = device_of(network)
        self._progress: dict[Request, DraftProgress] = {}

    def propose(self, requests: Sequence[Request]) -> None:
        """Sets the `drafts` of requests that are about to sample a token; the others are
        forgotten, as they may have lost their addresses."""
        self._progress = {request: self._progress_of(request) for request in requests}
        for request, progress in self._progress.items():
            progress.computed = min(progress.computed, len(request.ids) - 1)  # behind that lie rejected drafts
        for number in range(self.most):
            able = [request for request in requests if self._has_room(request) and len(request.drafts) == number]
            if able:
                self._propose_one(able)

    def record_acceptance(self, request: Request, proposed: int, accepted: int) -> None:
        """Nothing to do: it always proposes as many."""

    def remove(self, request: Request) -> None:
        """Forgets a request that has ended."""
        self._progress.pop(request, None)

    def apply_copies(self, copies: Sequence[Copy]) -> None:
        """Makes the same copies as the large model's cache."""
        self.kv_cache.apply_copies(copies)

    def refresh(self) -> None:
        """Packs the parameters again, after they changed."""
        refresh(self.view)
        self._progress.clear()

    def _has_room(self, request: Request) -> bool:
        """Whether there is an address for the token to be read before another can be proposed."""
        assert request.allocation
        return len(request.ids) + len(request.drafts) <= min(request.allocation.room, self.context - 1)

    def _propose_one(self, requests: Sequence[Request]) -> None:
        ids: list[int] = []
        spans: list[Span] = []
        rows: list[SampleRow] = []
        ends: list[int] = []
        for request in requests:
            progress = self._progress[request]
            known = request.ids + request.drafts
            assert request.allocation
            spans.append(Span(request.allocation, progress.computed, len(known) - progress.computed, request.prompt))
            ids += known[progress.computed :]
            ends.append(len(ids) - 1)
            rows.append(SampleRow(progress.sampling, request.seed, len(known) - request.prompt))
        states = self.view.hidden(torch.tensor([ids], device=self.device), self.kv_cache.step(spans))[0]
        drawn = sample(self.view.logits(states[torch.tensor(ends, device=self.device)]), rows)
        for request, token in zip(requests, drawn.tokens, strict=True):
            self._progress[request].computed = len(request.ids) + len(request.drafts)
            request.drafts.append(token)

    def _progress_of(self, request: Request) -> DraftProgress:
        known = self._progress.get(request)
        return known or DraftProgress(
            replace(request.sampling, logprobs=None, sampled_logprobs=False, n=1, best_of=None)
        )


def check_draft(network: Decoder, draft: Decoder) -> None:
    """Raises `ConfigError` unless both have a vocabulary of the same size."""
    ours, theirs = network.config.vocab, draft.config.vocab
    if ours != theirs:
        raise ConfigError(
            f"a draft model of the same {ours:,} tokens", f"{theirs:,}", "Use one with the same tokenizer."
        )
