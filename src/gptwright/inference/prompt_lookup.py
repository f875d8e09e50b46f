"""Prompt lookup decoding (Saxena 2023): where the last n-gram occurred before, what followed it is proposed again.

Summaries, edits and code repeat their prompt, and a step that verifies some tokens costs little more than one that
samples a single one. Where proposals are rejected, fewer and fewer are made.
"""

from collections.abc import Sequence

from gptwright.inference.kv_allocator import Copy
from gptwright.inference.request import Request

LONGEST, SHORTEST = 4, 2
"""lengths of n-grams that are looked up"""
_MAX_BACKOFF = 64
"""most tokens to wait after rejected proposals"""


class PromptLookup:
    """A `Proposer` with a `RequestLookup` for every request."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lookups: dict[Request, RequestLookup] = {}

    def propose(self, requests: Sequence[Request]) -> None:
        """Sets the `drafts` of requests that are about to sample a token."""
        for request in requests:
            if request not in self._lookups:
                self._lookups[request] = RequestLookup(self._most, request.sampling.predicted_ids)
            request.drafts = self._lookups[request].propose(request.ids)

    def record_acceptance(self, request: Request, proposed: int, accepted: int) -> None:
        """Adapts the number of proposals to how many were accepted."""
        self._lookups[request].record_acceptance(proposed, accepted)

    def remove(self, request: Request) -> None:
        """Forgets a request that has ended."""
        self._lookups.pop(request, None)

    def apply_copies(self, copies: Sequence[Copy]) -> None:
        """Nothing to do: it keeps no keys and values."""

    def refresh(self) -> None:
        """Nothing to do: it has no parameters."""


class RequestLookup:
    """The n-grams of one request and of the ids that are `predicted` for it; proposes at most `most` tokens. A step
    costs O(1), and the proposals depend on these ids and on what was accepted only."""

    def __init__(self, most: int = 8, predicted: Sequence[int] = ()) -> None:
        self._most = most
        self._ids: list[int] = []
        """what is predicted, then the request's"""
        self._after: dict[tuple[int, ...], int] = {}
        """position behind the last occurrence of an n-gram"""
        self._read(predicted)
        self._known = 0
        self._count = min(most, 4)
        self._backoff = 0
        self._quiet_until = 0

    def propose(self, ids: Sequence[int]) -> list[int]:
        """Tokens that may follow `ids` (prompt and response), which only grow between calls; [] without a match."""
        self._read(ids[self._known :])
        self._known = len(ids)
        if len(ids) < self._quiet_until:
            return []
        ids = self._ids
        for length in range(min(LONGEST, len(ids) - 1), SHORTEST - 1, -1):
            at = self._after.get(tuple(ids[-length:]))
            if at is not None:
                drafts: list[int] = []
                for place in range(at, at + self._count):
                    drafts.append(ids[place] if place < len(ids) else drafts[place - len(ids)])
                return drafts
        return []

    def record_acceptance(self, proposed: int, accepted: int) -> None:
        """Adapts to how many of the last proposals were accepted.

        All: twice as many next time. Less than half: a pause, each time twice as long, so that where nothing repeats
        at most one proposal in 64 tokens is wasted.
        """
        if not proposed:
            return
        if accepted == proposed:
            self._count = min(self._most, 2 * self._count)
            self._backoff = 0
        elif 2 * accepted < proposed:
            self._count = max(1, accepted)
            self._backoff = min(_MAX_BACKOFF, max(1, 2 * self._backoff))
        else:
            self._count = accepted
            self._backoff //= 2
        self._quiet_until = self._known + accepted + 1 + self._backoff

    def _read(self, new: Sequence[int]) -> None:
        for token in new:
            at = len(self._ids)
            for length in range(SHORTEST, min(LONGEST, at) + 1):
                self._after[tuple(self._ids[at - length : at])] = at
            self._ids.append(token)
