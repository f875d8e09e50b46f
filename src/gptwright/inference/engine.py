"""The engine: requests come and go, and every step computes some tokens of many of them in one go.

    engine = Engine(network, stop_ids)
    request = engine.submit(ids, Sampling())     # any number of them, at any time
    engine.step()                                # the requests that went on
    engine.generate(prompts, sampling)           # all at once

The network may be trained between two steps; `refresh` then packs its matrices anew and forgets what was computed.
"""

import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.inference import packed_model
from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.decode_state import DecodeState, Listener
from gptwright.inference.grammar import Matcher
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.kv_cache import KVCache, Span
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.prompt_lookup import Lookups
from gptwright.inference.request import Request
from gptwright.inference.sampler import SampleOutput, SampleRow, derive_seed, draw, prompt_logprobs
from gptwright.inference.sampling import Sampling
from gptwright.inference.scheduler import ScheduledWork, Scheduler
from gptwright.inference.speculative import DraftModel, check_draft
from gptwright.models.decoder import Decoder

FEW, DRAFTS = 8, 4  # answers written at once up to which drafts are cheap; drafts of a network unless asked otherwise
BLOCK = 64  # tokens of a block of a GPU's memory
GIVEN_AT_ONCE = 128  # tokens whose logits are held together: V numbers each


class Proposer(Protocol):
    """Who guesses tokens that may come next. They are checked in one step, and what is written does not change."""

    def propose(self, requests: Sequence[Request]) -> None:
        """Sets the `drafts` of requests that are about to draw a token."""
        ...

    def told(self, request: Request, proposed: int, accepted: int) -> None:
        """How many of its drafts were checked, and how many were right."""
        ...

    def leave(self, request: Request) -> None:
        """It has ended."""
        ...

    def carry_out(self, copies: Sequence[Copy]) -> None:
        """What lies in memory moves."""
        ...

    def refresh(self) -> None:
        """Parameters have changed."""
        ...


class Engine:
    """Writes with `network` in the format called `dtype`, that of its matrices unless given; "auto" chooses.

    Keys and values take `memory_gb` at most. `most` requests run at once, others wait. An answer ends with any of
    `stop_ids`. Up to `drafts` tokens a step are proposed and checked together while few answers are written: by the
    network `draft`, or else from what was written before.

    Raises `ConfigError` for an unknown format, and for a draft network of other tokens.
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
        draft: Decoder | None = None,
    ) -> None:
        dtype = dtype or packed_model.format_of(network)
        self.network, self.view = network, packed_model.prepared(network, dtype)
        self.stop_ids, self.context = frozenset(stop_ids), network.config.context
        self.device = device_of(network)
        whole = -(-self.context // BLOCK) * BLOCK  # a context in whole blocks
        addresses = min(int(memory_gb * 2**30) // KVCache.token_bytes(self.view), most * whole)
        self.arena = KVCache.of(self.view, addresses)
        self.memory = (
            PagedAllocator(addresses // BLOCK, BLOCK) if self.device.type == "cuda" else ContiguousAllocator(addresses)
        )
        self.scheduler = Scheduler(self.memory, most=most)
        self.proposer: Proposer | None = Lookups(drafts) if drafts else None
        if draft:
            check_draft(network, draft)
            self.proposer = DraftModel(draft, drafts or DRAFTS, dtype, addresses)
        self._writings: dict[Request, DecodeState] = {}

    def submit(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        *,
        seed: int | None = None,
        listener: Listener | None = None,
        matcher: Matcher | None = None,
    ) -> Request:
        """Puts a request in line. Its `listener` is told every token, and may end the answer; its `matcher` says which
        tokens may come.

        Raises `InputError` for an empty prompt, one that leaves no room in the context, and one too large for memory.
        """
        check_prompt(ids, sampling, self.context, self.network.config.vocab)
        chosen = next((given for given in (seed, sampling.seed) if given is not None), secrets.randbits(62))
        request = Request(list(ids), sampling, chosen, limit=min(len(ids) + sampling.max_tokens, self.context))
        if sampling.prompt_logprobs is not None:
            request.noted_from, request.recall = 1, 0
        self._add(request, listener, matcher)
        return request

    def read(self, ids: Sequence[int], start: int = 1) -> Request:
        """Puts in line what is only read: `given_logprobs` are then those of ids[start:], from the second id on at the
        earliest, and `state` is what the output matrix sees at the end. Raises `InputError` as `submit` does."""
        sampling = Sampling(max_tokens=0)
        check_prompt(ids, sampling, self.context, self.network.config.vocab)
        request = Request(list(ids), sampling, 0)
        request.noted_from, request.recall = start, start - 1
        self._add(request)
        return request

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[float]]:
        """The model's own log-probabilities of rows[i][starts[i]:] after what stands before; equal beginnings are read
        once."""
        with self.all_or_none() as requests:
            for row, start in zip(rows, starts, strict=True):
                requests.append(self.read(row, start))
            self.run(requests)
        return [request.given_logprobs for request in requests]

    def abort(self, request: Request) -> None:
        """The request ends here, and its memory is free."""
        if request in self._writings:
            request.finish = request.finish or "abort"
            self._leave(request)

    def refresh(self) -> None:
        """The network's parameters changed: nothing computed so far is used again."""
        packed_model.refresh(self.view)
        if self.proposer:
            self.proposer.refresh()
        self.scheduler.forget()

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Request]:
        """`sampling.n` answers a prompt, side by side, in order. Text number i is drawn with the i-th seed."""
        first = secrets.randbits(62) if sampling.seed is None else sampling.seed
        tries = sampling.answers
        with self.all_or_none() as requests:
            for i, prompt in enumerate(prompts):
                for j in range(tries):
                    requests.append(self.submit(prompt, sampling, seed=derive_seed(first, i * tries + j)))
            self.run(requests)
        groups = (requests[i : i + tries] for i in range(0, len(requests), tries))
        return [request for group in groups for request in best(group, sampling.n)]

    @contextmanager
    def all_or_none(self) -> Generator[list[Request]]:
        """A list of requests that are aborted if anything goes wrong on the way."""
        requests: list[Request] = []
        try:
            yield requests
        except BaseException:
            for request in requests:
                self.abort(request)
            raise

    def run(self, requests: Sequence[Request]) -> None:
        """Steps until these have ended. Nobody watches, so prompts need not be read in small pieces."""
        while any(not request.finish for request in requests):
            self.step(watched=False)

    @torch.inference_mode()
    def step(self, *, watched: bool = True) -> list[Request]:
        """One step of whatever is to be done; the requests that got tokens, or ended. Where answers are `watched` as
        they are written, long prompts do not hold them up."""
        try:
            self._propose()
            works = self.scheduler.plan(watched)
            copies = self.memory.copies()
            self.arena.carry_out(copies)
            if self.proposer:
                self.proposer.carry_out(copies)
            return self._write(works, self._states(works)) if works else []
        except BaseException:
            self.scheduler.forget()  # nothing that is only half there may be found
            raise

    def _propose(self) -> None:
        ready = [request for request in self.scheduler.running if request.unread == 1]
        if not self.proposer:
            return
        for request in ready:
            request.drafts = []
        self.proposer.propose(ready if len(ready) <= FEW else [])
        for request in ready:
            del request.drafts[max(0, request.limit - len(request.ids) - 1) :]

    def _add(self, request: Request, listener: Listener | None = None, matcher: Matcher | None = None) -> None:
        self.scheduler.add(request)
        self._writings[request] = DecodeState(request, self.stop_ids, listener, matcher)

    def _leave(self, request: Request) -> None:
        self.scheduler.remove(request)
        del self._writings[request]
        if self.proposer:
            self.proposer.leave(request)

    def _states(self, works: Sequence[ScheduledWork]) -> Float[Tensor, "N C"]:
        """What the output matrix sees at every token of the step."""
        ids: list[int] = []
        spans: list[Span] = []
        for work in works:
            request = work.request
            assert request.lease
            ids += request.ids[request.computed : request.computed + work.count] + work.drafts
            spans.append(Span(request.lease, request.computed, work.count + len(work.drafts), request.prompt))
        return self.view.hidden(torch.tensor([ids], device=self.device), self.arena.step(spans))[0]

    def _write(self, works: Sequence[ScheduledWork], states: Float[Tensor, "N C"]) -> list[Request]:
        """Draws what can be drawn now, and keeps the books of every work."""
        rows: list[SampleRow] = []
        places: list[int] = []
        firsts: dict[Request, int] = {}
        for work, end in zip(works, accumulate(work.count + len(work.drafts) for work in works), strict=True):
            request, begin = work.request, end - work.count - len(work.drafts)
            self._note(work, states[begin:end])
            if work.count == request.unread and len(request.ids) == request.limit:
                request.state, request.finish = states[end - 1].clone(), "length"
            elif work.count == request.unread and (asked := self._rows(work)):
                firsts[request] = len(rows)
                rows += asked
                places += range(end - len(asked), end)
        drawn = draw(self.view.logits(states[torch.tensor(places, device=self.device)]), rows) if rows else None
        for work in works:
            work.request.computed += work.count
            if drawn and work.request in firsts:
                self._take(work, drawn, firsts[work.request])
            if work.request.finish:
                self._leave(work.request)
        return [work.request for work in works]

    def _rows(self, work: ScheduledWork) -> list[SampleRow]:
        """What is to be drawn for a request: nothing where it cannot be gone on with."""
        try:
            return self._writings[work.request].rows(work.drafts)
        except InputError as error:
            work.request.finish, work.request.error = "error", error
            return []

    def _take(self, work: ScheduledWork, drawn: SampleOutput, first: int) -> None:
        taken = self._writings[work.request].take(work.drafts, drawn, first)
        work.request.computed += taken - 1
        if self.proposer and work.drafts:
            self.proposer.told(work.request, len(work.drafts), taken - 1)

    def _note(self, work: ScheduledWork, states: Float[Tensor, "N C"]) -> None:
        """Log-probabilities of given tokens, where the request asks for them: a state tells of the token behind it."""
        request = work.request
        if request.noted_from is None:
            return
        begin = max(request.computed, request.noted_from + len(request.given_logprobs) - 1)
        end = min(request.computed + work.count, request.prompt - 1)
        for first in range(begin, end, GIVEN_AT_ONCE):
            last = min(first + GIVEN_AT_ONCE, end)
            logits = self.view.logits(states[first - request.computed : last - request.computed])
            logprobs, top = prompt_logprobs(
                logits, request.ids[first + 1 : last + 1], request.sampling.prompt_logprobs or 0
            )
            request.given_logprobs += logprobs
            request.given_top += top


class PromptTooLong(InputError):
    """A prompt of so many tokens that the context has no room for an answer, or, if it is only read, for itself."""

    def __init__(self, tokens: int, context: int, *, answered: bool) -> None:
        most = f"fewer than {context}" if answered else f"at most {context}"
        super().__init__(f"a prompt of {most} tokens, the model's context", f"{tokens}",
                         "Shorten it, or begin a new conversation.")  # fmt: skip
        self.tokens, self.context = tokens, context


def check_prompt(ids: Sequence[int], sampling: Sampling, context: int, vocab: int) -> None:
    """Raises `InputError` when a prompt is empty or has ids that are not known, `PromptTooLong` when it leaves no room
    for what is asked for."""
    if not ids:
        raise InputError("a prompt with at least one token", "an empty one", "Write something.")
    answered = sampling.max_tokens > 0
    if len(ids) + answered > context:
        raise PromptTooLong(len(ids), context, answered=answered)
    if not 0 <= min(ids) <= max(ids) < vocab:
        raise InputError(f"ids from 0 to {vocab - 1}, which the model knows", f"{min(ids)} to {max(ids)}",
                         "Use the model's own tokenizer.")  # fmt: skip


def best(requests: Sequence[Request], wanted: int) -> list[Request]:
    """Those with the highest mean log-probability, the best first; all of them in their order when all are wanted."""
    if len(requests) == wanted:
        return list(requests)
    return sorted(requests, key=lambda request: -request.mean_logprob)[:wanted]
