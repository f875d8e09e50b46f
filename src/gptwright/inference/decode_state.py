"""The decoding of one response: which rows to sample, which tokens to accept, and when it ends."""

from typing import Protocol, runtime_checkable

from gptwright.inference.penalties import Penalties
from gptwright.inference.request import Request
from gptwright.inference.sampler import Constraint, SampleOutput, SampleRow, accepted_tokens, sample_rows


@runtime_checkable
class Listener(Protocol):
    """Is given every token as it comes and may end the response, as at a stop text."""

    def feed(self, token: int) -> None:
        """The next token of the response."""
        ...

    @property
    def stopped(self) -> bool:
        """Whether the response is to end."""
        ...


class DecodeState:
    """Penalties, grammar, listener and stop ids of a request that is decoded."""

    def __init__(
        self, request: Request, stop_ids: frozenset[int], listener: Listener | None, constraint: Constraint | None
    ) -> None:
        self.request = request
        self.stop_ids = stop_ids.union(request.sampling.stop_ids)
        self.penalties = Penalties.of(request.sampling, request.ids)
        self.listener, self.constraint = listener, constraint

    def rows(self, drafts: list[int]) -> list[SampleRow]:
        """Rows to sample: the next token, and one behind each draft. Raises `InputError` if none is allowed."""
        return sample_rows(self.request, drafts, self.penalties, self.constraint)

    def take(self, drafts: list[int], drawn: SampleOutput, first: int) -> int:
        """Appends the tokens sampled from row `first` on, up to the first wrong draft; returns how many."""
        tokens = accepted_tokens(drawn.tokens[first : first + len(drafts) + 1], drafts)
        for taken, token in enumerate(tokens, 1):
            self._record_logprobs(drawn, first + taken - 1)
            self._append(token)
            if self.request.finish:
                return taken
        return len(tokens)

    def _record_logprobs(self, drawn: SampleOutput, row: int) -> None:
        self.request.logprobs.append(drawn.logprobs[row])
        self.request.top.append(drawn.top[row])
        self.request.sampled_logprobs.append(drawn.sampled_logprobs[row])

    def _append(self, token: int) -> None:
        request = self.request
        request.ids.append(token)
        if self.penalties:
            self.penalties.add(token)
        if self.constraint:
            self.constraint.accept(token)
        if self.listener:
            self.listener.feed(token)
        if token in self.stop_ids or (self.listener and self.listener.stopped):
            request.finish = "stop"
        elif len(request.ids) >= request.limit:
            request.finish = "length"
