"""One answer while it is written: which tokens are to be drawn, what is made of them, and whether it has ended."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from gptwright.engine.lookup import Lookup
from gptwright.engine.penalties import Penalties
from gptwright.engine.request import Request
from gptwright.engine.sampler import Drawn, Row


@runtime_checkable
class Listener(Protocol):
    """Who is told every token as it comes, and may end the answer: a text that waits for its stop texts."""

    def feed(self, token: int) -> None:
        """The next token of the answer."""
        ...

    @property
    def stopped(self) -> bool:
        """Whether it has heard enough."""
        ...


class Writing:
    """The state of a request beside its tokens."""

    def __init__(self, request: Request, stop_ids: frozenset[int], drafts: int, listener: Listener | None) -> None:
        self.request = request
        self.stop_ids = stop_ids.union(request.sampling.stop_ids)
        self.penalties = Penalties.of(request.sampling, request.ids)
        self.lookup = Lookup(drafts) if drafts else None
        self.listener = listener

    def propose(self) -> None:
        """Drafts for the next step, none where the next token ends the answer anyway."""
        request = self.request
        room = request.limit - len(request.ids) - 1
        request.drafts = self.lookup.propose(request.ids)[: max(room, 0)] if self.lookup else []

    def rows(self, drafts: Sequence[int]) -> list[Row]:
        """The next token, and one behind each draft."""
        request = self.request
        number = len(request.ids) - request.prompt
        return [
            Row(request.sampling, request.seed, number + i, self.penalties, tuple(drafts[:i]))
            for i in range(len(drafts) + 1)
        ]

    def take(self, drafts: list[int], drawn: Drawn, first: int) -> int:
        """Goes on with the tokens drawn from row `first` on, as long as the drafts before them were right; how many."""
        taken = 0
        while True:
            row = first + taken
            self._take_one(drawn.tokens[row], drawn.logprobs[row], drawn.top[row])
            taken += 1
            if self.request.finish or drawn.tokens[row : row + 1] != drafts[taken - 1 : taken]:
                break
        if self.lookup and drafts:
            self.lookup.told(len(drafts), taken - 1)
        return taken

    def _take_one(self, token: int, logprob: float, top: dict[int, float]) -> None:
        request = self.request
        request.ids.append(token)
        request.logprobs.append(logprob)
        request.top.append(top)
        if self.penalties:
            self.penalties.said(token)
        if self.listener:
            self.listener.feed(token)
        if token in self.stop_ids or (self.listener and self.listener.stopped):
            request.finish = "stop"
        elif len(request.ids) >= request.limit:
            request.finish = "length"
