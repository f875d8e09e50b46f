"""An engine without a model: it carries out what the scheduler plans on a list, and checks every address it reads."""

from collections.abc import Callable
from random import Random

import pytest

from gptwright.engine.blocks import Blocks, Table
from gptwright.engine.memory import Copy, Memory
from gptwright.engine.request import Request
from gptwright.engine.sampling import Sampling
from gptwright.engine.scheduler import Scheduler, Work
from gptwright.engine.slots import Slot, Slots


class Histories:
    """A number for every text: what a model's keys at its last token depend on."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, int], int] = {}

    def of(self, ids: list[int], version: int) -> list[int]:
        """The texts' numbers after each token. Other weights make other keys."""
        number, numbers = -1 - version, list[int]()
        for token in ids:
            number = self.numbers.setdefault((number, token), len(self.numbers))
            numbers.append(number)
        return numbers


def next_token(ids: list[int], vocabulary: int = 2) -> int:
    """The model: any function of all that was said."""
    return hash(tuple(ids)) // 8 % vocabulary


def answer(prompt: list[int], tokens: int) -> list[int]:
    """The text as it is written alone."""
    ids = prompt[:]
    for _ in range(tokens):
        ids.append(next_token(ids))
    return ids


class Machine:
    """A scheduler, its memory, and the arena as a list of the text that was read at each address."""

    def __init__(self, memory: Memory, **settings: int) -> None:
        self.memory, self.scheduler = memory, Scheduler(memory, **settings)
        self.cells = [-1] * memory.most_tokens
        self.histories, self.version = Histories(), 0
        self.live: list[Request] = []
        self.preempted = self.found = self.read = self.drafted = 0

    def add(self, ids: list[int], tokens: int, recall: int | None = None) -> Request:
        request = Request(ids[:], Sampling(max_tokens=tokens), 0, recall=recall)
        self.scheduler.add(request)
        self.live.append(request)
        return request

    def end(self, request: Request) -> None:
        self.scheduler.remove(request)
        self.live.remove(request)
        assert request.lease is None

    def forget(self) -> None:
        self.version += 1
        self.scheduler.forget()

    def step(self) -> list[Work]:
        before = list(self.scheduler.running)
        works = self.scheduler.plan()
        self.check_plan(works, before)
        self.copy(self.memory.copies())
        for request in self.scheduler.running:
            self.check_memory(request)
        self.check_owners()
        for work in works:
            self.write(work)
        for work in works:
            self.advance(work)
        return works

    def finish(self, steps: int = 10_000) -> None:
        while self.live:
            steps -= 1
            assert steps and self.step()
        assert self.scheduler.plan() == [] and not self.scheduler.line and not self.scheduler.running

    def copy(self, copies: list[Copy]) -> None:
        for source, target, tokens in copies:
            self.cells[target : target + tokens] = self.cells[source : source + tokens]

    def write(self, work: Work) -> None:
        request = work.request
        start, end = request.computed, request.computed + work.count
        texts = self.histories.of(request.ids[:end] + work.drafts, self.version)
        for position in range(start, len(texts)):
            self.cells[request.lease.address(position)] = texts[position]
        self.read += len(texts) - start

    def advance(self, work: Work) -> None:
        """What the engine does: draws where the ids are read to their end, and goes on while drafts were right."""
        request = work.request
        draws = work.count == request.unread
        request.computed += work.count
        if not draws:
            return
        request.ids.append(next_token(request.ids))
        for draft in work.drafts:
            if draft != request.ids[-1] or self.ended(request):
                break
            self.drafted += 1
            request.computed += 1
            request.ids.append(next_token(request.ids))
        if self.ended(request):
            self.end(request)

    def ended(self, request: Request) -> bool:
        return len(request.ids) == request.prompt + request.sampling.max_tokens

    def check_plan(self, works: list[Work], before: list[Request]) -> None:
        """Who writes an answer goes on, within the budget; the oldest goes on, or nobody younger begins."""
        scheduler, planned = self.scheduler, [work.request for work in works]
        assert len(set(planned)) == len(planned) and all(work.count > 0 for work in works)
        assert set(planned) <= set(scheduler.running) and len(scheduler.running) <= scheduler.most
        assert sorted(scheduler.running + scheduler.line, key=lambda r: r.arrival) == self.live
        for requests in (scheduler.running, scheduler.line):
            assert requests == sorted(requests, key=lambda r: r.arrival)
        self.preempted += len(set(before) - set(scheduler.running))
        newcomers = set(scheduler.running) - set(before)
        self.found += sum(request.computed for request in newcomers)
        answers = [request for request in before if request.unread == 1 and request.lease]
        assert planned[: len(answers)] == answers
        limit = scheduler.budget if answers else scheduler.wide
        prompts = sum(work.count for work in works[len(answers) :])
        assert prompts <= max(limit - len(answers), limit // 4, 1)
        drafts = sum(len(work.drafts) for work in works)
        assert not drafts or len(answers) + prompts + drafts <= limit
        if self.live:
            oldest = self.live[0]
            assert oldest in planned or (oldest in scheduler.line and not newcomers)

    def check_memory(self, request: Request) -> None:
        """What the request counts as computed was read from exactly its ids, under these weights."""
        texts = self.histories.of(request.ids[: request.computed], self.version)
        assert [self.cells[request.lease.address(p)] for p in range(len(texts))] == texts
        assert request.computed < len(request.ids)

    def check_owners(self) -> None:
        """No address is written by two, and whoever stands in line has none."""
        owners: dict[int, Request] = {}
        for request in self.scheduler.running:
            for address in self.writable(request):
                assert owners.setdefault(address, request) is request
        assert all(request.lease is None and not request.computed for request in self.scheduler.line)

    def writable(self, request: Request) -> range | list[int]:
        """Addresses that only this request may have: all, or those behind the full blocks."""
        lease = request.lease
        if isinstance(lease, Slot):
            assert lease.request is request and lease.room >= len(request.ids)
            return range(lease.start, lease.end)
        assert isinstance(lease, Table)
        full = request.computed // lease.size
        return [block * lease.size + i for block in lease.blocks[full:] for i in range(lease.size)]

    def check_all_free(self) -> None:
        """Whether nothing leaked: one who asks for everything gets it."""
        everything = self.add([7] * self.memory.most_tokens, 1)
        assert self.memory.admit(everything)
        assert len({everything.lease.address(p) for p in range(self.memory.most_tokens)}) == self.memory.most_tokens
        self.memory.release(everything)
        self.end(everything)
        if isinstance(self.memory, Slots):
            assert sum(slot.room for slot in self.memory.slots) == self.memory.most_tokens


@pytest.fixture
def machine() -> type[Machine]:
    return Machine


@pytest.fixture
def alone() -> Callable[[list[int], int], list[int]]:
    """The text as it is written alone."""
    return answer


@pytest.fixture(params=["slots", "blocks"])
def memory(request: pytest.FixtureRequest) -> Callable[[Random], Memory]:
    """Makes little memories of one kind, for texts of at least 24 tokens."""

    def slots(random: Random) -> Memory:
        return Slots(random.randint(24, 120), random.choice((0, 1, 8)), random.choice((1, 4)))

    def blocks(random: Random) -> Memory:
        size = random.choice((1, 4))
        return Blocks(random.randint(24, 120) // size, size)

    return slots if request.param == "slots" else blocks
