"""The inference engine: requests come and go, and every step computes some tokens of many of them at once.

    engine = Engine(network, stop_ids)
    request = engine.submit(ids, Sampling())     # any number of them, at any time
    engine.step()                                # the requests that got tokens
    engine.generate(prompts, sampling)           # all at once

The network may be trained between two steps; `refresh` then packs its matrices again and drops the cache.
"""

import secrets
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.inference import packed_model
from gptwright.inference.content import Content, embeddings_of
from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.decode_state import DecodeState, Listener
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.kv_cache import KVCache, Span
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.prompt_lookup import PromptLookup
from gptwright.inference.request import Request
from gptwright.inference.sampler import Constraint, SampleOutput, SampleRow, derive_seed, prompt_logprobs, sample
from gptwright.inference.sampling import Sampling
from gptwright.inference.scheduler import ScheduledWork, Scheduler
from gptwright.inference.speculative import DraftModel, check_draft
from gptwright.models.decoder import Decoder

MAX_DRAFTED, DRAFTS = (
    8,
    4,
)  # most requests decoded at once for which drafts pay; default drafts of a draft model
BLOCK = 64  # tokens of a block of the paged cache
LOGITS_AT_ONCE = 128  # prompt tokens whose logits are held together, V numbers each


class Proposer(Protocol):
    """Proposes draft tokens. They are verified in one step, and the text is the same as without."""

    def propose(self, requests: Sequence[Request]) -> None:
        """Sets the `drafts` of requests that are about to sample a token."""
        ...

    def record_acceptance(self, request: Request, proposed: int, accepted: int) -> None:
        """Says how many of the request's drafts were verified and how many accepted."""
        ...

    def remove(self, request: Request) -> None:
        """Forgets a request that has ended."""
        ...

    def apply_copies(self, copies: Sequence[Copy]) -> None:
        """Follows copies in the key-value cache."""
        ...

    def refresh(self) -> None:
        """Follows a change of parameters."""
        ...


class Engine:
    """Generates with `network` in the number format `dtype`, by default that of its matrices; "auto" chooses.

    The key-value cache takes `kv_cache_gb` GiB at most. `max_requests` requests run at once, others wait. A response
    ends with any of `stop_ids`. While few responses are written, up to `drafts` tokens a step are proposed and verified
    together: by the network `draft`, or else by prompt lookup. `view`: the network as it computes, where it is packed.

    Raises `ConfigError` for an unknown format, and for a draft network with another vocabulary.
    """

    def __init__(
        self,
        network: Decoder,
        stop_ids: Sequence[int] = (),
        *,
        dtype: str | None = None,
        kv_cache_gb: float = 1.0,
        max_requests: int = 128,
        drafts: int = 0,
        draft: Decoder | None = None,
        view: Decoder | None = None,
    ) -> None:
        dtype = dtype or packed_model.dtype_of(network)
        self.network, self.view = network, view or packed_model.pack_model(network, dtype)
        self.stop_ids, self.context = frozenset(stop_ids), network.config.context
        self.device = device_of(network)
        whole = -(-self.context // BLOCK) * BLOCK  # a context in whole blocks
        addresses = min(int(kv_cache_gb * 2**30) // KVCache.token_bytes(self.view), max_requests * whole)
        self.kv_cache = KVCache.of(self.view, addresses)
        self.allocator = (
            PagedAllocator(addresses // BLOCK, BLOCK) if self.device.type == "cuda" else ContiguousAllocator(addresses)
        )
        self.scheduler = Scheduler(self.allocator, max_running=max_requests)
        self.proposer: Proposer | None = PromptLookup(drafts) if drafts else None
        if draft:
            check_draft(network, draft)
            self.proposer = DraftModel(draft, drafts or DRAFTS, dtype, addresses)
        self._decoding: dict[Request, DecodeState] = {}
        self.tokens_read = self.tokens_written = 0
        """of all requests so far; what came from the prefix cache was not read again"""

    def submit(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        *,
        seed: int | None = None,
        listener: Listener | None = None,
        constraint: Constraint | None = None,
        content: Mapping[int, Content] | None = None,
    ) -> Request:
        """Queues a request. Its `listener` is given every token and may end the response; its `constraint` says which
        tokens are allowed; `content` stands at placeholder positions of the prompt.

        Raises `InputError` for an empty prompt, one that fills the context, and one too large for the cache (memory).
        """
        check_prompt(ids, sampling, self.context, self.network.config.vocab)
        width = self.network.config.width
        if wrong := next((c for c in (content or {}).values() if c.embedding.shape != (width,)), None):
            raise InputError(f"embeddings of the model's width {width}", f"{tuple(wrong.embedding.shape)}",
                             "Bring them to that width first.")  # fmt: skip
        chosen = next((given for given in (seed, sampling.seed) if given is not None), secrets.randbits(62))
        request = Request(
            list(ids), sampling, chosen, limit=min(len(ids) + sampling.max_tokens, self.context), content=content or {}
        )
        if sampling.prompt_logprobs is not None:
            request.logprobs_from, request.max_reused = 1, 0
        self._add(request, listener, constraint)
        return request

    def read(
        self,
        ids: Sequence[int],
        start: int = 1,
        *,
        following: int | None = None,
        top: int = 0,
        content: Mapping[int, Content] | None = None,
    ) -> Request:
        """Queues a prompt that is only read: `prompt_logprobs` are those of ids[start:], from the second id on at the
        earliest, and of the id `following` them, which is not read itself; `prompt_top_logprobs` are the `top`
        likeliest there, and `state` is the final hidden state. Raises `InputError` as `submit` does."""
        sampling = Sampling(max_tokens=0, prompt_logprobs=top)
        check_prompt(ids, sampling, self.context, self.network.config.vocab)
        request = Request(list(ids), sampling, 0, following=following, content=content or {})
        request.logprobs_from, request.max_reused = start, start - 1
        self._add(request)
        return request

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[float]]:
        """The model's own log-probabilities of `rows[i][starts[i]:]` after what stands before; equal beginnings are
        read once. A row may be one token longer than the context, as its last is not read."""
        with self.all_or_none() as requests:
            for row, start in zip(rows, starts, strict=True):
                requests.append(self.read(row[:-1], start, following=row[-1]))
            self.run(requests)
        return [request.prompt_logprobs for request in requests]

    def abort(self, request: Request) -> None:
        """Ends the request and frees its cache."""
        if request in self._decoding:
            request.finish = request.finish or "abort"
            self._leave(request)

    def refresh(self) -> None:
        """Follows a change of the network's parameters: packs them again, and computes everything anew."""
        packed_model.refresh(self.view)
        if self.proposer:
            self.proposer.refresh()
        self.scheduler.preempt_all()

    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, contents: Sequence[Mapping[int, Content]] = ()
    ) -> list[Request]:
        """`sampling.n` responses to each prompt, in order, with the `contents` of each one where it has any. Response
        number i is sampled with the i-th seed."""
        first = secrets.randbits(62) if sampling.seed is None else sampling.seed
        tries = sampling.answers
        with self.all_or_none() as requests:
            for i, prompt in enumerate(prompts):
                for j in range(tries):
                    requests.append(self.submit(prompt, sampling, seed=derive_seed(first, i * tries + j),
                                                content=contents[i] if contents else None))  # fmt: skip
            self.run(requests)
        groups = (requests[i : i + tries] for i in range(0, len(requests), tries))
        return [request for group in groups for request in best(group, sampling.n)]

    @contextmanager
    def all_or_none(self) -> Generator[list[Request]]:
        """A list for requests that are all aborted if an exception is raised inside the block."""
        requests: list[Request] = []
        try:
            yield requests
        except BaseException:
            for request in requests:
                self.abort(request)
            raise

    def run(self, requests: Sequence[Request]) -> None:
        """Steps until these have ended. Nothing is streamed, so prompts need not be read in small chunks."""
        while any(not request.finish for request in requests):
            self.step(streaming=False)

    @torch.inference_mode()
    def step(self, *, streaming: bool = True) -> list[Request]:
        """Runs one step; returns the requests that got tokens or ended. With `streaming`, long prompts are read in
        chunks that do not hold up the responses."""
        try:
            self._propose()
            works = self.scheduler.schedule(streaming)
            copies = self.allocator.take_copies()
            self.kv_cache.apply_copies(copies)
            if self.proposer:
                self.proposer.apply_copies(copies)
            return self._sample(works, self._forward(works)) if works else []
        except BaseException:
            self.scheduler.preempt_all()  # nothing half computed may stay in the prefix cache
            raise

    def _propose(self) -> None:
        ready = [request for request in self.scheduler.running if request.uncomputed == 1]
        if not self.proposer:
            return
        for request in ready:
            request.drafts = []
        self.proposer.propose(ready if len(ready) <= MAX_DRAFTED else [])
        for request in ready:
            del request.drafts[max(0, request.limit - len(request.ids) - 1) :]

    def _add(self, request: Request, listener: Listener | None = None, constraint: Constraint | None = None) -> None:
        self.scheduler.add(request)
        self._decoding[request] = DecodeState(request, self.stop_ids, listener, constraint)

    def _leave(self, request: Request) -> None:
        self.scheduler.remove(request)
        del self._decoding[request]
        if self.proposer:
            self.proposer.remove(request)

    def _forward(self, works: Sequence[ScheduledWork]) -> Float[Tensor, "N C"]:
        """Final hidden states of every token of the step."""
        ids: list[int] = []
        spans: list[Span] = []
        for work in works:
            request = work.request
            assert request.allocation
            ids += request.ids[request.computed : request.computed + work.count] + work.drafts
            spans.append(Span(request.allocation, request.computed, work.count + len(work.drafts), request.prompt))
        row, step = torch.tensor([ids], device=self.device), self.kv_cache.step(spans)
        content = ((work.request.content, span.first, span.count) for work, span in zip(works, spans, strict=True))
        return self.view.hidden(row, step, embeddings=embeddings_of(content, self.device))[0]

    def _sample(self, works: Sequence[ScheduledWork], states: Float[Tensor, "N C"]) -> list[Request]:
        """Samples where a prompt is read to its end, and advances every request."""
        self._record_prompt_logprobs(works, states)
        rows: list[SampleRow] = []
        positions: list[int] = []
        first_rows: dict[Request, int] = {}
        for work, end in zip(works, accumulate(work.count + len(work.drafts) for work in works), strict=True):
            if work.count == work.request.uncomputed:
                first_rows[work.request] = len(rows)
                rows += self._rows(work, states[end - 1])
                positions += range(end - (len(rows) - first_rows[work.request]), end)
        at = torch.tensor(positions, device=self.device)
        drawn = sample(self.view.logits(states[at]), rows) if rows else None
        for work in works:
            request = work.request
            self.tokens_read += max(0, min(work.count, request.prompt - request.computed))
            request.computed += work.count
            if drawn and request in first_rows and not request.finish:
                self._accept(work, drawn, first_rows[request])
            if request.finish:
                self._leave(request)
        return [work.request for work in works]

    def _rows(self, work: ScheduledWork, state: Float[Tensor, "C"]) -> list[SampleRow]:
        """The rows to sample for a request whose ids are read; none for one that ends here: its prompt is only read,
        or its grammar allows nothing."""
        request = work.request
        if len(request.ids) == request.limit:
            request.state, request.finish = state.clone(), "length"
            return []
        try:
            return self._decoding[request].rows(work.drafts)
        except InputError as error:
            request.finish, request.error = "error", error
            return []

    def _accept(self, work: ScheduledWork, drawn: SampleOutput, first: int) -> None:
        taken = self._decoding[work.request].take(work.drafts, drawn, first)
        work.request.computed += taken - 1
        self.tokens_written += taken
        if self.proposer and work.drafts:
            self.proposer.record_acceptance(work.request, len(work.drafts), taken - 1)

    def _record_prompt_logprobs(self, works: Sequence[ScheduledWork], states: Float[Tensor, "N C"]) -> None:
        """Log-probabilities of prompt tokens, where wanted: the state at a position predicts the next token."""
        wanted: dict[int, list[tuple[Request, int, int]]] = defaultdict(list)  # by the number of likeliest tokens
        offset = 0
        for work in works:
            request = work.request
            if request.logprobs_from is not None:
                begin = max(request.computed, request.logprobs_from + len(request.prompt_logprobs) - 1)
                targets = request.targets(begin, request.computed + work.count)
                row = offset + begin - request.computed
                wanted[request.sampling.prompt_logprobs or 0] += [
                    (request, row + i, id) for i, id in enumerate(targets)
                ]
            offset += work.count + len(work.drafts)
        for most, places in wanted.items():
            for first in range(0, len(places), LOGITS_AT_ONCE):
                requests, rows, targets = zip(*places[first : first + LOGITS_AT_ONCE], strict=True)
                logits = self.view.logits(states[torch.tensor(rows, device=self.device)])
                for request, *found in zip(requests, *prompt_logprobs(logits, targets, most), strict=True):
                    request.prompt_logprobs.append(found[0])
                    request.prompt_top_logprobs.append(found[1])


class PromptTooLong(InputError):
    """A prompt that leaves no room in the context for a response, or, if it is only read, for itself."""

    def __init__(self, tokens: int, context: int, *, answered: bool) -> None:
        max_requests = f"fewer than {context}" if answered else f"at most {context}"
        super().__init__(f"a prompt of {max_requests} tokens, the model's context", f"{tokens}",
                         "Shorten it, or begin a new conversation.")  # fmt: skip
        self.tokens, self.context = tokens, context


def check_prompt(ids: Sequence[int], sampling: Sampling, context: int, vocab: int) -> None:
    """Raises `InputError` for a prompt that is empty or has unknown ids, `PromptTooLong` for one that is too long."""
    if not ids:
        raise InputError("a prompt with at least one token", "an empty one", "Write something.")
    answered = sampling.max_tokens > 0
    if len(ids) + answered > context:
        raise PromptTooLong(len(ids), context, answered=answered)
    if not 0 <= min(ids) <= max(ids) < vocab:
        raise InputError(f"ids from 0 to {vocab - 1}, which the model knows", f"{min(ids)} to {max(ids)}",
                         "Use the model's own tokenizer.")  # fmt: skip


def best(requests: Sequence[Request], wanted: int) -> list[Request]:
    """Those with the highest mean log-probability, best first; in their own order when all are wanted."""
    if len(requests) == wanted:
        return list(requests)
    return sorted(requests, key=lambda request: -request.mean_logprob)[:wanted]
