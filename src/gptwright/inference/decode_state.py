"""One answer while it is written: which tokens are to be drawn, what is made of them, and whether it has ended."""

from typing import Protocol, runtime_checkable

from gptwright.inference.grammar import Matcher
from gptwright.inference.penalties import Penalties
from gptwright.inference.request import Request
from gptwright.inference.sampler import SampleOutput, SampleRow, checked, rows_of


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


class DecodeState:
    """The state of a request beside its tokens."""

    def __init__(
        self, request: Request, stop_ids: frozenset[int], listener: Listener | None, matcher: Matcher | None
    ) -> None:
        self.request = request
        self.stop_ids = stop_ids.union(request.sampling.stop_ids)
        self.penalties = Penalties.of(request.sampling, request.ids)
        self.listener, self.matcher = listener, matcher

    def rows(self, drafts: list[int]) -> list[SampleRow]:
        """The next token, and one behind each draft. Raises `InputError` where the grammar lets nothing through."""
        return rows_of(self.request, drafts, self.penalties, self.matcher)

    def take(self, drafts: list[int], drawn: SampleOutput, first: int) -> int:
        """Goes on with the tokens drawn from row `first` on, as long as the drafts before them were right; how many."""
        tokens = checked(drawn.tokens[first : first + len(drafts) + 1], drafts)
        for taken, token in enumerate(tokens, 1):
            self._note(drawn, first + taken - 1)
            self._take_one(token)
            if self.request.finish:
                return taken
        return len(tokens)

    def _note(self, drawn: SampleOutput, row: int) -> None:
        self.request.logprobs.append(drawn.logprobs[row])
        self.request.top.append(drawn.top[row])
        self.request.sampled_logprobs.append(drawn.sampled[row])

    def _take_one(self, token: int) -> None:
        request = self.request
        request.ids.append(token)
        if self.penalties:
            self.penalties.said(token)
        if self.matcher:
            self.matcher.accept(token)
        if self.listener:
            self.listener.feed(token)
        if token in self.stop_ids or (self.listener and self.listener.stopped):
            request.finish = "stop"
        elif len(request.ids) >= request.limit:
            request.finish = "length"
