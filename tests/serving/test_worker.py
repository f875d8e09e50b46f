"""Jobs side by side, a bounded line, one wake-up a step, and a caller who leaves frees what was held."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gptwright.serving.worker import Closed, Job, QueueFull, Worker


class Numbers:
    """0, 1, 2 … one a round. At `broken` it fails."""

    def __init__(self, until: int, broken: int = -1) -> None:
        self.until, self.broken, self.at, self.closed = until, broken, 0, threading.Event()

    @property
    def done(self) -> bool:
        return self.at == self.until

    def next(self) -> list[int]:
        if self.at == self.broken:
            raise ValueError("broken")
        self.at += 1
        return [self.at - 1]

    def close(self) -> None:
        self.closed.set()


class Steps:
    """Steps that wait until they are let go; `begun` says that one waits."""

    def __init__(self) -> None:
        self.gate, self.begun, self.count = threading.Semaphore(0), threading.Event(), 0

    def __call__(self) -> None:
        self.begun.set()
        assert self.gate.acquire(timeout=10)
        self.count += 1

    def let(self, many: int) -> None:
        self.gate.release(many)


def nothing() -> None:
    pass


@pytest.fixture
def steps() -> Iterator[Steps]:
    made = Steps()
    yield made
    made.let(1000)


def run(go: Callable[[], object]) -> None:
    asyncio.run(go())  # type: ignore[arg-type]


async def all_of(job: Job[int]) -> list[int]:
    return [item async for new in job for item in new]


def test_items_come_in_order() -> None:
    async def go() -> list[list[int]]:
        worker: Worker[int] = Worker(nothing)
        jobs = [worker.submit(lambda: Numbers(5)) for _ in range(3)]
        found = [await all_of(job) for job in jobs]
        worker.close()
        return found

    assert asyncio.run(go()) == [[0, 1, 2, 3, 4]] * 3


def test_jobs_run_side_by_side_and_a_slow_caller_gets_more_at_once(steps: Steps) -> None:
    async def go() -> None:
        worker: Worker[int] = Worker(steps)
        jobs = [worker.submit(lambda: Numbers(5)) for _ in range(4)]
        steps.let(5)
        assert [await all_of(job) for job in jobs] == [[0, 1, 2, 3, 4]] * 4
        assert steps.count <= 6
        late = worker.submit(lambda: Numbers(3))
        steps.let(3)
        while not late._end:
            await asyncio.sleep(0.001)
        assert await anext(late) == [0, 1, 2]
        worker.close()

    run(go)


def test_a_job_knows_its_place_in_line(steps: Steps) -> None:
    async def go() -> None:
        worker: Worker[int] = Worker(steps, max_running=1)
        first, second, third = [worker.submit(lambda: Numbers(2)) for _ in range(3)]
        while not steps.begun.is_set():
            await asyncio.sleep(0.001)
        assert [worker.place(job) for job in (first, second, third)] == [0, 1, 2]
        second.close()
        assert worker.place(third) == 1
        worker.close()

    run(go)


def test_the_event_loop_is_woken_once_a_step_for_all_jobs() -> None:
    async def go() -> None:
        worker: Worker[int] = Worker(nothing)
        loop, woken = asyncio.get_running_loop(), 0
        wake = loop.call_soon_threadsafe

        def counted(*args: object) -> object:
            nonlocal woken
            woken += 1
            return wake(*args)  # type: ignore[arg-type]

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign, assignment]
        with worker._changed:  # all of them, before the thread takes the first
            jobs = [Job(lambda: Numbers(100), worker._remove) for _ in range(20)]
            worker._queue.extend(jobs)
        assert await all_of(worker.submit(lambda: Numbers(100))) == list(range(100))
        assert [await all_of(job) for job in jobs] == [list(range(100))] * 20
        assert woken == 100
        worker.close()

    run(go)


def test_an_error_reaches_its_caller_only(steps: Steps) -> None:
    def refused() -> Numbers:
        raise ValueError("refused")

    async def go() -> None:
        worker: Worker[int] = Worker(steps)
        other = worker.submit(lambda: Numbers(4))
        source = Numbers(9, broken=1)
        bad, worse = worker.submit(lambda: source), worker.submit(refused)
        steps.let(10)
        assert await anext(bad) == [0]
        for _ in range(2):
            with pytest.raises(ValueError, match="broken"):
                await anext(bad)
        with pytest.raises(ValueError, match="refused"):
            await anext(worse)
        assert await all_of(other) == [0, 1, 2, 3] and source.closed.is_set()
        worker.close()

    run(go)


def test_a_step_that_fails_ends_all_that_run_and_the_worker_lives_on() -> None:
    fails = threading.Event()

    def step() -> None:
        time.sleep(0.001)
        if fails.is_set():
            fails.clear()
            raise RuntimeError("no memory")

    async def go() -> None:
        worker: Worker[int] = Worker(step)
        sources = [Numbers(10**9), Numbers(10**9)]
        jobs = [worker.submit(lambda source=source: source) for source in sources]
        assert [(await anext(job))[0] for job in jobs] == [0, 0]
        fails.set()
        for job, source in zip(jobs, sources, strict=True):
            with pytest.raises(RuntimeError, match="no memory"):
                await all_of(job)
            assert source.closed.is_set()
        assert await all_of(worker.submit(lambda: Numbers(2))) == [0, 1]
        worker.close()

    run(go)


def test_the_line_is_bounded_and_leaving_makes_room(steps: Steps) -> None:
    async def go() -> None:
        worker: Worker[int] = Worker(steps, waiting=2, max_running=1)
        running = worker.submit(lambda: Numbers(2))
        await asyncio.to_thread(steps.begun.wait, 10)
        waiting = [worker.submit(lambda: Numbers(1)) for _ in range(2)]
        with pytest.raises(QueueFull):
            worker.submit(lambda: Numbers(1))
        waiting[0].close()
        last = worker.submit(lambda: Numbers(3))
        steps.let(10)
        assert await all_of(running) == [0, 1]
        assert await all_of(waiting[1]) == [0] and await all_of(last) == [0, 1, 2]
        worker.close()

    run(go)


def test_who_waits_gets_in_in_the_order_of_coming(steps: Steps) -> None:
    begun: list[int] = []

    def numbered(i: int) -> Numbers:
        begun.append(i)
        return Numbers(1 + i % 3)

    async def go() -> None:
        worker: Worker[int] = Worker(steps, max_running=2)
        jobs = [worker.submit(lambda i=i: numbered(i)) for i in range(12)]
        steps.let(100)
        for job in jobs:
            await all_of(job)
        worker.close()

    run(go)
    assert begun == list(range(12))


def test_a_closed_job_ends_before_the_next_step(steps: Steps) -> None:
    async def go() -> None:
        worker: Worker[int] = Worker(steps)
        source = Numbers(1000)
        job, other = worker.submit(lambda: source), worker.submit(lambda: Numbers(5))
        assert await anext(job) == [0]
        job.close()
        steps.let(1)
        assert await asyncio.to_thread(source.closed.wait, 10) and source.at == 1
        steps.let(9)
        assert await all_of(other) == [0, 1, 2, 3, 4]
        worker.close()

    run(go)


def test_it_rests_when_there_is_nothing_to_do() -> None:
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    async def go() -> None:
        worker: Worker[int] = Worker(step)
        assert await all_of(worker.submit(lambda: Numbers(3))) == [0, 1, 2]
        made = count
        await asyncio.sleep(0.05)
        assert count == made == 2 and not worker.running
        worker.close()

    run(go)


def test_closing_the_worker_ends_every_job(steps: Steps) -> None:
    async def go() -> None:
        worker: Worker[int] = Worker(steps, max_running=1)
        source = Numbers(1000)
        running, waiting = worker.submit(lambda: source), worker.submit(lambda: Numbers(1))
        assert await anext(running) == [0]
        worker.close()
        steps.let(1)
        for job in (running, waiting):
            with pytest.raises(Closed):
                await all_of(job)
        with pytest.raises(Closed):
            worker.submit(lambda: Numbers(1))
        await asyncio.to_thread(worker.join, 10)
        assert not worker.running and source.closed.is_set() and steps.count == 1

    run(go)


def test_a_caller_whose_loop_ended_does_not_hurt_the_worker(steps: Steps) -> None:
    worker: Worker[int] = Worker(steps)
    source = Numbers(1000)

    async def leave() -> None:
        worker.submit(lambda: source)
        await asyncio.to_thread(steps.begun.wait, 10)

    asyncio.run(leave())
    steps.let(1000)
    assert source.closed.wait(10)

    async def go() -> list[int]:
        return await all_of(worker.submit(lambda: Numbers(2)))

    assert asyncio.run(go()) == [0, 1]
    worker.close()
