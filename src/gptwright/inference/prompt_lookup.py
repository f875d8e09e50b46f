"""Prompt lookup (Saxena 2023): what followed the last few tokens when they came before is proposed to follow again.

Summaries, edits and code repeat what they were given, and a step that checks some tokens costs little more than one
that draws a single one. Elsewhere proposals are refused; then fewer and fewer are made.
"""

from collections.abc import Sequence

from gptwright.inference.kv_allocator import Copy
from gptwright.inference.request import Request

LONGEST, SHORTEST = 4, 2
"""tokens that must have come before in the same order"""
_SILENCE = 64
"""tokens to wait at most after refused proposals"""


class Lookups:
    """A `Lookup` for every request."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lookups: dict[Request, Lookup] = {}

    def propose(self, requests: Sequence[Request]) -> None:
        """Sets the `drafts` of requests that are about to draw a token."""
        for request in requests:
            request.drafts = self._lookups.setdefault(request, Lookup(self._most)).propose(request.ids)

    def told(self, request: Request, proposed: int, accepted: int) -> None:
        """How many of its drafts were checked, and how many were right."""
        self._lookups[request].told(proposed, accepted)

    def leave(self, request: Request) -> None:
        """It has ended."""
        self._lookups.pop(request, None)

    def carry_out(self, copies: Sequence[Copy]) -> None:
        """Nothing of it lies in memory."""

    def refresh(self) -> None:
        """It has no parameters."""


class Lookup:
    """Proposals for one request, at most `most` at a time. A step costs O(1), and what it finds depends on the tokens
    and on what was accepted, on nothing else."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._after: dict[tuple[int, ...], int] = {}
        """where the token stands that followed these last"""
        self._known = 0
        self._many = min(most, 4)
        self._wait = 0
        self._silent_until = 0

    def propose(self, ids: Sequence[int]) -> list[int]:
        """Tokens that may follow prompt and answer `ids`, which only ever grow; [] when there is no guess."""
        self._read(ids)
        if len(ids) < self._silent_until:
            return []
        for length in range(min(LONGEST, len(ids) - 1), SHORTEST - 1, -1):
            at = self._after.get(tuple(ids[-length:]))
            if at is not None:
                drafts: list[int] = []
                for place in range(at, at + self._many):
                    drafts.append(ids[place] if place < len(ids) else drafts[place - len(ids)])
                return drafts
        return []

    def told(self, proposed: int, accepted: int) -> None:
        """How many of the last proposals there were, and how many of them came true.

        All: twice as many next time. Less than half: silence, each time twice as long, so that where nothing repeats
        the work lost goes towards one proposal in 64 tokens.
        """
        if not proposed:
            return
        if accepted == proposed:
            self._many = min(self._most, 2 * self._many)
            self._wait = 0
        elif 2 * accepted < proposed:
            self._many = max(1, accepted)
            self._wait = min(_SILENCE, max(1, 2 * self._wait))
        else:
            self._many = accepted
            self._wait //= 2
        self._silent_until = self._known + accepted + 1 + self._wait

    def _read(self, ids: Sequence[int]) -> None:
        for at in range(max(self._known, SHORTEST), len(ids)):
            for length in range(SHORTEST, min(LONGEST, at) + 1):
                self._after[tuple(ids[at - length : at])] = at
        self._known = len(ids)
