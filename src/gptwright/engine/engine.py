"""The engine: requests come and go, and every step computes some tokens of many of them in one go.

    engine = Engine(network, stop_ids)
    request = engine.submit(ids, Sampling())     # any number of them, at any time
    engine.step()                                # the requests that went on
    engine.generate(prompts, sampling)           # all at once

The network may be trained between two steps; `refresh` then packs its matrices anew and forgets what was computed.
"""

import secrets
from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.engine import prepared
from gptwright.engine.arena import Arena, Span
from gptwright.engine.request import Request
from gptwright.engine.sampler import Row, draw, prompt_logprobs, seed_of
from gptwright.engine.sampling import Sampling
from gptwright.engine.scheduler import Scheduler, Work
from gptwright.engine.slots import Slots
from gptwright.engine.writing import Listener, Writing
from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.models.decoder import Decoder

GIVEN_AT_ONCE = 128  # tokens whose logits are held together: V numbers each


class Engine:
    """Writes with `network` in the format called `dtype`, that of its matrices unless given; "auto" chooses.

    Keys and values take `memory_gb` at most. `most` requests run at once, others wait. An answer ends with any of
    `stop_ids`. Up to `drafts` tokens a step are proposed from what was written before, and checked together.

    Raises `ConfigError` for an unknown format.
    """

    def __init__(
        self,
        network: Decoder,
        stop_ids: Sequence[int] = (),
        *,
        dtype: str | None = None,
        memory_gb: float = 1.0,
        most: int = 128,
        drafts: int = 0,
    ) -> None:
        self.network = network
        self.view = prepared.prepared(network, dtype or prepared.format_of(network))
        self.stop_ids, self.drafts = frozenset(stop_ids), drafts
        self.context: int = network.config.context
        self.device = device_of(network)
        self.arena = Arena.of(self.view, memory_gb, most * self.context)
        self.memory = Slots(self.arena.addresses)
        self.scheduler = Scheduler(self.memory, most=most)
        self._writings: dict[Request, Writing] = {}

    def submit(
        self, ids: Sequence[int], sampling: Sampling, *, seed: int | None = None, listener: Listener | None = None
    ) -> Request:
        """Puts a request in line. Its `listener` is told every token, and may end the answer.

        Raises `InputError` for an empty prompt, one that leaves no room in the context, and one too large for memory.
        """
        check_prompt(ids, self.context)
        chosen = next((given for given in (seed, sampling.seed) if given is not None), secrets.randbits(62))
        request = Request(list(ids), sampling, chosen, limit=min(len(ids) + sampling.max_tokens, self.context))
        if sampling.prompt_logprobs is not None:
            request.noted_from, request.recall = 1, 0
        self._add(request, listener)
        return request

    def read(self, ids: Sequence[int], start: int = 1, sampling: Sampling | None = None) -> Request:
        """Puts in line what is only read: `given_logprobs` are then those of ids[start:], and `state` is what the
        output matrix sees at the end. Raises `InputError` as `submit` does."""
        check_prompt(ids, self.context + 1)
        request = Request(list(ids), sampling or Sampling(temperature=0), 0, limit=len(ids))
        request.noted_from, request.recall = start, start - 1
        self._add(request, None)
        return request

    def abort(self, request: Request) -> None:
        """The request ends here, and its memory is free."""
        if not request.finish:
            request.finish = "abort"
            self._leave(request)

    def refresh(self) -> None:
        """The network's parameters changed: nothing computed so far is used again."""
        prepared.refresh(self.view)
        self.scheduler.forget()

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Request]:
        """`sampling.n` answers a prompt, side by side, in order. Text number i is drawn with the i-th seed."""
        first = secrets.randbits(62) if sampling.seed is None else sampling.seed
        tries = sampling.answers
        requests = [
            self.submit(prompt, sampling, seed=seed_of(first, i * tries + j))
            for i, prompt in enumerate(prompts)
            for j in range(tries)
        ]
        self.run(requests)
        groups = (requests[i : i + tries] for i in range(0, len(requests), tries))
        return [request for group in groups for request in best(group, sampling.n)]

    def run(self, requests: Sequence[Request]) -> None:
        """Steps until these have ended."""
        while any(not request.finish for request in requests):
            self.step()

    @torch.inference_mode()
    def step(self) -> list[Request]:
        """One step of whatever is to be done; the requests that got tokens, or ended."""
        for request in self.scheduler.running:
            self._writings[request].propose()
        works = self.scheduler.plan()
        if not works:
            return []
        self.arena.carry_out(self.memory.copies())
        return self._write(works, self._states(works))

    def _add(self, request: Request, listener: Listener | None) -> None:
        self.scheduler.add(request)
        self._writings[request] = Writing(request, self.stop_ids, self.drafts, listener)

    def _leave(self, request: Request) -> None:
        self.scheduler.remove(request)
        del self._writings[request]

    def _states(self, works: Sequence[Work]) -> Float[Tensor, "N C"]:
        """What the output matrix sees at every token of the step."""
        ids: list[int] = []
        spans: list[Span] = []
        for work in works:
            request = work.request
            assert request.lease
            ids += request.ids[request.computed : request.computed + work.count] + work.drafts
            spans.append(Span(request.lease, request.computed, work.count + len(work.drafts)))
        return self.view.hidden(torch.tensor([ids], device=self.device), self.arena.step(spans))[0]

    def _write(self, works: Sequence[Work], states: Float[Tensor, "N C"]) -> list[Request]:
        """Draws what can be drawn now, and keeps the books of every work."""
        ends = list(accumulate(work.count + len(work.drafts) for work in works))
        rows: list[Row] = []
        places: list[int] = []
        firsts: list[int | None] = []
        for work, end in zip(works, ends, strict=True):
            self._note(work, states[end - work.count - len(work.drafts) : end])
            draws = work.count == work.request.unread and len(work.request.ids) < work.request.limit
            firsts.append(len(rows) if draws else None)
            if draws:
                rows += self._writings[work.request].rows(work.drafts)
                places += range(end - len(work.drafts) - 1, end)
        drawn = draw(self.view.logits(states[torch.tensor(places, device=self.device)]), rows) if rows else None
        for work, end, first in zip(works, ends, firsts, strict=True):
            work.request.computed += work.count
            if drawn and first is not None:
                taken = self._writings[work.request].take(work.drafts, drawn, first)
                work.request.computed += taken - 1
            elif work.request.unread == 0:
                work.request.state, work.request.finish = states[end - 1].clone(), "length"
            if work.request.finish:
                self._leave(work.request)
        return [work.request for work in works]

    def _note(self, work: Work, states: Float[Tensor, "N C"]) -> None:
        """Log-probabilities of given tokens, where the request asks for them: a state tells of the token behind it."""
        request = work.request
        if request.noted_from is None:
            return
        begin = max(request.computed, request.noted_from + len(request.given_logprobs) - 1)
        end = min(request.computed + work.count, request.prompt - 1)
        for first in range(begin, end, GIVEN_AT_ONCE):
            last = min(first + GIVEN_AT_ONCE, end)
            logits = self.view.logits(states[first - request.computed : last - request.computed])
            logprobs, top = prompt_logprobs(logits, request.ids[first + 1 : last + 1], request.sampling)
            request.given_logprobs += logprobs
            request.given_top += top


def check_prompt(ids: Sequence[int], context: int) -> None:
    """Raises `InputError` when a prompt is empty or leaves no room for an answer."""
    if not ids:
        raise InputError("a prompt with at least one token", "an empty one", "Write something.")
    if len(ids) >= context:
        raise InputError(f"a prompt of fewer than {context} tokens, the model's context", f"{len(ids)}",
                         "Shorten it, or begin a new conversation.")  # fmt: skip


def best(requests: Sequence[Request], wanted: int) -> list[Request]:
    """Those with the highest mean log-probability, the best first; all of them in their order when all are wanted."""
    if len(requests) == wanted:
        return list(requests)
    return sorted(requests, key=lambda request: -sum(request.logprobs) / len(request.logprobs))[:wanted]
