"""Continuous batching with chunked prefill under a token budget (Yu et al. 2022; Agrawal et al. 2024).

Decoding comes first, one token a request, so that a long prompt never holds it up; what the budget leaves is for
prompts, in order of arrival; what these leave, for verifying drafts.
"""

from bisect import insort
from dataclasses import dataclass, field
from operator import attrgetter

from gptwright.foundations.errors import InputError
from gptwright.inference.kv_allocator import KVAllocator
from gptwright.inference.request import Request

ARRIVAL = attrgetter("arrival")


@dataclass(slots=True)
class ScheduledWork:
    """Part of a step: the next `count` ids of a request that are not computed yet, and then the drafts."""

    request: Request
    count: int
    drafts: list[int] = field(default_factory=list[int])


class Scheduler:
    """Requests in order of arrival: those that run hold cache addresses, the others wait.

    A step computes `budget` tokens while a response is streamed, and else `unwatched_budget`; a quarter of that is
    for prompts, however many requests decode. `max_running` requests run at once.
    """

    def __init__(
        self, allocator: KVAllocator, budget: int = 64, unwatched_budget: int = 1024, max_running: int = 64
    ) -> None:
        self.allocator, self.budget, self.unwatched_budget, self.max_running = (
            allocator,
            budget,
            unwatched_budget,
            max_running,
        )
        self.running: list[Request] = []
        self.waiting: list[Request] = []
        self._arrivals = 0

    def add(self, request: Request) -> None:
        """Queues a request. Raises `InputError` when it is empty or larger than the whole cache."""
        if not request.ids:
            raise InputError("a prompt of at least one token", "none", "Give the model something to begin with.")
        if request.max_cached > self.allocator.capacity:
            raise InputError(
                f"at most {self.allocator.capacity} tokens of prompt and answer together",
                f"a prompt of {request.prompt} and an answer of up to {request.sampling.max_tokens}",
                "Shorten the prompt, ask for fewer max_tokens, or give the engine more memory.",
            )
        request.arrival = self._arrivals
        self._arrivals += 1
        self.waiting.append(request)

    def remove(self, request: Request) -> None:
        """Removes a request that ended or was aborted, and frees its cache. Not while a step is computed."""
        if request.allocation:
            self.allocator.release(request)
            self.running.remove(request)
        elif request in self.waiting:
            self.waiting.remove(request)

    def preempt_all(self) -> None:
        """Preempts all requests and drops the prefix cache, because the weights changed."""
        for request in self.running[:]:
            self._preempt(request)
        self.allocator.reset_prefix_cache()

    def schedule(self, streaming: bool = True) -> list[ScheduledWork]:
        """The next step, empty only when there is nothing to do. The allocator's copies have to be made before it."""
        works = self._decodes()
        limit = self.budget if works and streaming else self.unwatched_budget
        left = max(1, limit // 4, limit - len(works))
        prompts = self._prefills(left)
        works += prompts + self._admissions(left - _tokens(prompts))
        self._add_drafts(works, limit - _tokens(works))
        return works

    def _decodes(self) -> list[ScheduledWork]:
        """One token for each request whose prompt is read."""
        works: list[ScheduledWork] = []
        for request in [request for request in self.running if request.uncomputed == 1]:
            while request.allocation and not self.allocator.grow(request, 1):
                self._preempt(self.running[-1])
            if request.allocation:
                works.append(ScheduledWork(request, 1))
        return works

    def _prefills(self, left: int) -> list[ScheduledWork]:
        """The next chunk of prompts that were begun; they have addresses since they were admitted."""
        works: list[ScheduledWork] = []
        for request in self.running:
            if left and request.uncomputed > 1:
                works.append(ScheduledWork(request, min(request.uncomputed, left)))
                left -= works[-1].count
                grown = self.allocator.grow(request, works[-1].count)
                assert grown
        return works

    def _admissions(self, left: int) -> list[ScheduledWork]:
        """Requests from the head of the queue, while there are tokens and cache for them."""
        works: list[ScheduledWork] = []
        for request in self.waiting[: self.max_running]:
            if not left or len(self.running) >= self.max_running:
                break
            if self._prefix_is_coming(request):
                continue
            if not self.allocator.admit(request):
                break
            self.waiting.remove(request)
            insort(self.running, request, key=ARRIVAL)
            works.append(ScheduledWork(request, min(request.uncomputed, left)))
            left -= works[-1].count
        return works

    def _prefix_is_coming(self, request: Request) -> bool:
        """Whether an earlier request is about to compute a further block of this one's prefix. Waiting saves computing
        it twice; as only earlier requests that run are waited for, it ends."""
        for other in self.running:
            if other.uncomputed > 1 and other.arrival < request.arrival:
                block = (
                    other.computed // self.allocator.block_size * self.allocator.block_size + self.allocator.block_size
                )
                if block <= request.reusable and other.keys[:block] == request.keys[:block]:
                    return True
        return False

    def _add_drafts(self, works: list[ScheduledWork], left: int) -> None:
        """Adds drafts, as far as tokens and free cache go. A request with drafts has no prompt left to read."""
        for work in works:
            drafts = work.request.drafts[: max(0, left)]
            if drafts and self.allocator.grow(work.request, work.count + len(drafts)):
                work.drafts = drafts
                left -= len(drafts)

    def _preempt(self, request: Request) -> None:
        """Frees its cache for another; its ids are computed again when there is room."""
        self.allocator.release(request)
        self.running.remove(request)
        request.drafts = []
        insort(self.waiting, request, key=ARRIVAL)


def _tokens(works: list[ScheduledWork]) -> int:
    return sum(work.count for work in works)
