"""An engine without a model: it carries out what the scheduler plans on a list, and checks every address it reads."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from gptwright.inference.contiguous_allocator import ContiguousAllocator, Slot
from gptwright.inference.kv_allocator import Copy, KVAllocator
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling
from gptwright.inference.scheduler import ScheduledWork, Scheduler


class Histories:
    """A number for every text: what a model's keys at its last token depend on, besides the weights."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, int], int] = {}

    def extend(self, numbers: list[int], ids: list[int]) -> None:
        """The texts' numbers after each of the ids; numbers[0] stands for the weights."""
        for token in ids[len(numbers) - 1 :]:
            numbers.append(self.numbers.setdefault((numbers[-1], token), len(self.numbers)))


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
    """A scheduler, its memory, and the KV cache as a list of the text that was read at each address."""

    def __init__(self, allocator: KVAllocator, **settings: int) -> None:
        self.allocator, self.scheduler = allocator, Scheduler(allocator, **settings)
        self.cells = [-1] * allocator.capacity
        self.histories, self.version = Histories(), 0
        self.texts: dict[Request, list[int]] = {}
        self.live: list[Request] = []
        self.lost: list[Request] = []
        release = allocator.release
        allocator.release = lambda request: (self.lost.append(request), release(request))
        self.preempted = self.found = self.read = self.drafted = 0

    def add(self, ids: list[int], tokens: int, max_reused: int | None = None) -> Request:
        request = Request(ids[:], Sampling(max_tokens=tokens), 0, max_reused=max_reused)
        self.scheduler.add(request)
        self.live.append(request)
        return request

    def end(self, request: Request) -> None:
        self.scheduler.remove(request)
        self.live.remove(request)
        assert request.allocation is None

    def forget(self) -> None:
        self.version += 1
        self.texts = {}
        self.scheduler.preempt_all()

    def step(self) -> list[ScheduledWork]:
        before = list(self.scheduler.running)
        writing = [request for request in before if request.uncomputed == 1]
        self.lost = []
        works = self.scheduler.schedule()
        self.check_plan(works, [request for request in writing if request not in self.lost])
        newcomers = [request for request in self.scheduler.running if request not in before or request in self.lost]
        assert self.live == [] or self.live[0] in [w.request for w in works] or not newcomers, (
            "the oldest goes on first"
        )
        self.preempted += len(self.lost)
        self.found += sum(request.computed for request in newcomers)
        self.copy(self.allocator.take_copies())
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
        assert self.scheduler.schedule() == [] and not self.scheduler.waiting and not self.scheduler.running

    def copy(self, copies: list[Copy]) -> None:
        for source, target, tokens in copies:
            self.cells[target : target + tokens] = self.cells[source : source + tokens]

    def text(self, request: Request) -> list[int]:
        """What has to stand at the addresses of its ids."""
        numbers = self.texts.setdefault(request, [-1 - self.version])
        self.histories.extend(numbers, request.ids)
        return numbers

    def write(self, work: ScheduledWork) -> None:
        request, start = work.request, work.request.computed
        numbers = self.text(request)[: start + work.count + 1]
        self.histories.extend(numbers, request.ids[: start + work.count] + work.drafts)
        for position, number in enumerate(numbers[start + 1 :], start):
            self.cells[request.allocation.addresses(position, position + 1)[0]] = number
        self.read += work.count + len(work.drafts)

    def advance(self, work: ScheduledWork) -> None:
        """What the engine does: draws where the ids are read to their end, and goes on while drafts were right."""
        request = work.request
        draws = work.count == request.uncomputed
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

    def check_plan(self, works: list[ScheduledWork], answers: list[Request]) -> None:
        """Who writes an answer and kept its memory goes on; prompts and drafts have what the budget leaves."""
        scheduler, planned = self.scheduler, [work.request for work in works]
        assert planned[: len(answers)] == answers and all(work.count > 0 for work in works)
        assert len(set(planned)) == len(planned) and set(planned) <= set(scheduler.running)
        limit = scheduler.budget if answers else scheduler.unwatched_budget
        prompts = sum(work.count for work in works[len(answers) :])
        assert prompts <= max(limit - len(answers), limit // 4, 1)
        drafts = sum(len(work.drafts) for work in works)
        assert not drafts or len(answers) + prompts + drafts <= limit
        assert all(work.request.uncomputed == work.count for work in works if work.drafts)
        orders = [[request.arrival for request in some] for some in (scheduler.running, scheduler.waiting, self.live)]
        assert len(orders[0]) <= scheduler.max_running and sorted(orders[0] + orders[1]) == orders[2], "nobody is lost"
        assert all(order == sorted(order) for order in orders)

    def check_memory(self, request: Request) -> None:
        """What the request counts as computed was read from exactly its ids, under these weights."""
        allocation, computed = request.allocation, request.computed
        if isinstance(allocation, Slot):
            there = self.cells[allocation.start : allocation.start + computed]
        else:
            there = [self.cells[address] for address in allocation.addresses(0, computed)]
        assert there == self.text(request)[1 : computed + 1]
        assert computed < len(request.ids)

    def check_owners(self) -> None:
        """No address is written by two, or by one while another has it; whoever stands in line has none."""
        allocations = [request.allocation for request in self.scheduler.running]
        if isinstance(self.allocator, ContiguousAllocator):
            slots = sorted(allocations, key=lambda slot: slot.start)
            assert all(before.end <= slot.start for before, slot in pairwise(slots))
            assert all(before.end == slot.start for before, slot in pairwise(self.allocator.slots))
            assert not any(before.is_gap and slot.is_gap for before, slot in pairwise(self.allocator.slots))
        else:
            users = Counter(block for table in allocations for block in table.blocks)
            for request in self.scheduler.running:
                full = request.computed // self.allocator.block_size
                assert all(users[block] == 1 for block in request.allocation.blocks[full:])
        assert all(request.allocation is None and not request.computed for request in self.scheduler.waiting)

    def check_all_free(self) -> None:
        """Whether nothing leaked: all is free, and one who asks for everything gets it."""
        max_running = self.allocator.capacity
        assert self.allocator.free == max_running
        everything = Request([7] * max_running, Sampling(max_tokens=1), 0)
        assert self.allocator.admit(everything) and self.allocator.free == 0
        assert sorted(everything.allocation.addresses(0, max_running)) == list(range(max_running))
        self.allocator.release(everything)


@pytest.fixture(scope="session")
def machine() -> type[Machine]:
    return Machine


@pytest.fixture(scope="session")
def alone() -> Callable[[list[int], int], list[int]]:
    """The text as it is written alone."""
    return answer


@pytest.fixture(scope="session", params=["slots", "blocks"])
def allocator(request: pytest.FixtureRequest) -> Callable[[Random], KVAllocator]:
    """Makes little memories of one kind, for texts of at least 24 tokens."""

    def slots(random: Random) -> KVAllocator:
        return ContiguousAllocator(random.randint(24, 72), random.choice((0, 1, 8)), random.choice((1, 4)))

    def blocks(random: Random) -> KVAllocator:
        block_size = random.choice((1, 4))
        return PagedAllocator(random.randint(24, 72) // block_size, block_size)

    return slots if request.param == "slots" else blocks
