"""One job at a time, a bounded line, and a caller who leaves frees what was held."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gptwright.serving.worker import Closed, Job, LineFull, Worker


def numbers(until: int) -> Iterator[int]:
    yield from range(until)


def test_items_come_in_order() -> None:
    async def go() -> list[list[int]]:
        worker: Worker[int] = Worker()
        jobs = [worker.submit(lambda: numbers(5)) for _ in range(3)]
        return [[item async for item in job] for job in jobs]

    assert asyncio.run(go()) == [[0, 1, 2, 3, 4]] * 3


def test_an_error_reaches_its_caller_and_the_worker_lives_on() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    async def go() -> list[int]:
        worker: Worker[int] = Worker()
        bad = worker.submit(broken)
        assert await anext(bad) == 1
        for _ in range(2):
            with pytest.raises(ValueError, match="broken"):
                await anext(bad)
        return [item async for item in worker.submit(lambda: numbers(2))]

    assert asyncio.run(go()) == [0, 1]


def test_the_line_is_bounded_and_leaving_makes_room() -> None:
    async def go() -> None:
        worker: Worker[int] = Worker(waiting=2)
        gate, begun = threading.Event(), threading.Event()

        def held() -> Iterator[int]:
            begun.set()
            gate.wait(10)
            yield 1

        running = worker.submit(held)
        await asyncio.to_thread(begun.wait, 10)
        waiting = [worker.submit(lambda: numbers(1)) for _ in range(2)]
        with pytest.raises(LineFull):
            worker.submit(lambda: numbers(1))
        waiting[0].close()
        last = worker.submit(lambda: numbers(3))
        gate.set()
        assert [i async for i in running] == [1] and [i async for i in last] == [0, 1, 2]
        worker.close()

    asyncio.run(go())


def test_a_closed_job_stops_after_the_item_at_hand() -> None:
    async def go() -> int:
        worker: Worker[int] = Worker()
        steps, made, ended = threading.Semaphore(0), [0], threading.Event()

        def endless() -> Iterator[int]:
            try:
                while True:
                    steps.acquire()
                    made[0] += 1
                    yield made[0]
            finally:
                ended.set()

        job = worker.submit(endless)
        steps.release()
        assert await anext(job) == 1
        job.close()
        for _ in range(100):
            steps.release()
        assert await asyncio.to_thread(ended.wait, 10)
        return made[0]

    assert asyncio.run(go()) == 2


def test_closing_the_worker_ends_every_job() -> None:
    async def go() -> None:
        worker: Worker[int] = Worker()
        gate = threading.Event()

        def slow() -> Iterator[int]:
            yield 1
            gate.wait(10)
            yield 2

        running, waiting = worker.submit(slow), worker.submit(lambda: numbers(1))
        assert await anext(running) == 1
        worker.close()
        gate.set()
        for job in (running, waiting):
            with pytest.raises(Closed):
                await anext(job)
        with pytest.raises(Closed):
            worker.submit(lambda: numbers(1))
        await asyncio.to_thread(worker.join, 10)
        assert worker.running is None

    asyncio.run(go())


def test_a_caller_whose_loop_ended_does_not_hurt_the_worker() -> None:
    worker: Worker[int] = Worker()
    gate = threading.Event()

    def late() -> Iterator[int]:
        gate.wait(10)
        yield 1

    async def leave() -> Job[int]:
        return worker.submit(late)

    asyncio.run(leave())
    gate.set()

    async def go() -> list[int]:
        return [item async for item in worker.submit(lambda: numbers(2))]

    assert asyncio.run(go()) == [0, 1]
