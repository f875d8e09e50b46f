"""What the next step computes: continuous batching under a budget of tokens (Yu et al. 2022; Agrawal et al. 2024).

Answers come first, one token each, so that a long prompt never holds them up; what the budget leaves is for prompts,
in the order in which they came; what these leave, for checking drafts.
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
    """A step computes the next `count` ids of the request that are not computed yet, and then the drafts."""

    request: Request
    count: int
    drafts: list[int] = field(default_factory=list[int])


class Scheduler:
    """Requests in order of arrival: those that run have memory, the others stand in line.

    A step reads `budget` tokens while somebody watches an answer being written, and else `wide`; a quarter of that is
    for prompts, however many answers are written. `most` requests run at once.
    """

    def __init__(self, memory: KVAllocator, budget: int = 64, wide: int = 1024, most: int = 64) -> None:
        self.memory, self.budget, self.wide, self.most = memory, budget, wide, most
        self.running: list[Request] = []
        self.line: list[Request] = []
        self._arrivals = 0

    def add(self, request: Request) -> None:
        """Puts it at the end of the line. Raises `InputError` when it is empty or can never have memory enough."""
        if not request.ids:
            raise InputError("a prompt of at least one token", "none", "Give the model something to begin with.")
        if request.longest > self.memory.most_tokens:
            raise InputError(
                f"at most {self.memory.most_tokens} tokens of prompt and answer together",
                f"a prompt of {request.prompt} and an answer of up to {request.sampling.max_tokens}",
                "Shorten the prompt, ask for fewer max_tokens, or give the engine more memory.",
            )
        request.arrival = self._arrivals
        self._arrivals += 1
        self.line.append(request)

    def remove(self, request: Request) -> None:
        """It ended, or is no longer wanted: its memory is free for others. Not while a step is computed."""
        if request.lease:
            self.memory.release(request)
            self.running.remove(request)
        elif request in self.line:
            self.line.remove(request)

    def forget(self) -> None:
        """The weights changed: whoever runs is computed anew, keeping what was written."""
        for request in self.running[:]:
            self._preempt(request)
        self.memory.forget()

    def plan(self, watched: bool = True) -> list[ScheduledWork]:
        """The next step, empty only when there is nothing to do. Memory's copies have to be made before it."""
        works = self._answers()
        limit = self.budget if works and watched else self.wide
        left = max(1, limit // 4, limit - len(works))
        prompts = self._prompts(left)
        works += prompts + self._newcomers(left - _tokens(prompts))
        self._check_drafts(works, limit - _tokens(works))
        return works

    def _answers(self) -> list[ScheduledWork]:
        """One token for everybody who has read what there is."""
        works: list[ScheduledWork] = []
        for request in [request for request in self.running if request.unread == 1]:
            while request.lease and not self.memory.grow(request, 1):
                self._preempt(self.running[-1])
            if request.lease:
                works.append(ScheduledWork(request, 1))
        return works

    def _prompts(self, left: int) -> list[ScheduledWork]:
        """What is left of prompts that were begun; their room was made when they were admitted."""
        works: list[ScheduledWork] = []
        for request in self.running:
            if left and request.unread > 1:
                works.append(ScheduledWork(request, min(request.unread, left)))
                left -= works[-1].count
                grown = self.memory.grow(request, works[-1].count)
                assert grown
        return works

    def _newcomers(self, left: int) -> list[ScheduledWork]:
        """Those at the head of the line, while there are tokens and memory for them."""
        works: list[ScheduledWork] = []
        for request in self.line[: self.most]:
            if not left or len(self.running) >= self.most:
                break
            if self._soon_known(request):
                continue
            if not self.memory.admit(request):
                break
            self.line.remove(request)
            insort(self.running, request, key=ARRIVAL)
            works.append(ScheduledWork(request, min(request.unread, left)))
            left -= works[-1].count
        return works

    def _soon_known(self, request: Request) -> bool:
        """Whether somebody who came earlier is about to read a further block of what this one begins with. Waiting
        saves reading it twice; as only earlier ones are waited for, and only while they run, it ends."""
        for other in self.running:
            if other.unread > 1 and other.arrival < request.arrival:
                block = other.computed // self.memory.size * self.memory.size + self.memory.size
                if block <= request.recallable and other.ids[:block] == request.ids[:block]:
                    return True
        return False

    def _check_drafts(self, works: list[ScheduledWork], left: int) -> None:
        """As far as tokens and free memory go. Drafts follow the last id: a prompt read in part leaves no tokens."""
        for work in works:
            drafts = work.request.drafts[: max(0, left)]
            if drafts and self.memory.grow(work.request, work.count + len(drafts)):
                work.drafts = drafts
                left -= len(drafts)

    def _preempt(self, request: Request) -> None:
        """Its memory is needed; what it wrote stays, and is read again when there is room."""
        self.memory.release(request)
        self.running.remove(request)
        request.drafts = []
        insort(self.line, request, key=ARRIVAL)


def _tokens(works: list[ScheduledWork]) -> int:
    return sum(work.count for work in works)
