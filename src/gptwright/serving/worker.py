"""One thread that owns the model, jobs that run side by side on it, and a bounded line of those that wait.

Each round it takes jobs from the line, collects what is new for every job, wakes the event loop once for all of them,
and lets the model do one step. A job whose caller has gone is dropped before the next step.
"""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
Made = TypeVar("Made", covariant=True)


class QueueFull(Exception):
    """As many jobs wait as may."""


class Closed(Exception):
    """The worker was closed before the job ended."""


class Source(Protocol[Made]):
    """What the steps make for one job."""

    @property
    def done(self) -> bool:
        """Whether nothing more comes."""
        ...

    def next(self) -> Sequence[Made]:
        """What is new since the last time, if anything."""
        ...

    def close(self) -> None:
        """No more is needed."""
        ...


Outcome = tuple["Job[T]", Sequence[T], Exception | None]


class Job(AsyncIterator[list[T]]):
    """What one caller waits for: iterate it for what is new, and `close` it whatever happens."""

    def __init__(self, make: Callable[[], Source[T]], drop: "Callable[[Job[T]], None]") -> None:
        self.make = make
        self.closed = threading.Event()
        self.loop = asyncio.get_running_loop()
        self._drop = drop
        self._new: list[T] = []
        self._end: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def deliver(self, items: Sequence[T], end: Exception | None) -> None:
        """Hands over items, or what ended the job; called in the caller's event loop."""
        self._new += items
        self._end = self._end or end
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def __anext__(self) -> list[T]:
        """Everything that came since the last time: a caller who is slow gets more at once."""
        while not self._new:
            if self._end:
                raise self._end
            self._waiter = self.loop.create_future()
            await self._waiter
        new, self._new = self._new, []
        return new

    def close(self) -> None:
        """The caller needs no more; safe to call at any time, any number of times."""
        self.closed.set()
        self._drop(self)


class Worker(Generic[T]):
    """Runs jobs that make items of type `T`; `step` makes some for all that run. `max_running` jobs run at once, and
    `waiting` may stand in line behind them, in the order in which they came."""

    def __init__(self, step: Callable[[], object], *, waiting: int = 64, max_running: int = 128) -> None:
        self.step, self.waiting, self.max_running = step, waiting, max_running
        self.running: dict[Job[T], Source[T] | None] = {}
        self._queue: deque[Job[T]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def queued(self) -> int:
        """How many wait in line."""
        return len(self._queue)

    def place(self, job: Job[T]) -> int:
        """Where a job stands in line, from 1; 0 when its turn has come."""
        with self._changed:
            return self._queue.index(job) + 1 if job in self._queue else 0

    def submit(self, make: Callable[[], Source[T]]) -> Job[T]:
        """Puts a job in line; `make` is called, and what it gives is used, by the worker's thread only.

        Raises `QueueFull` when `waiting` jobs stand there, `Closed` when the worker is closed.
        """
        with self._changed:
            if self._stopping:
                raise Closed
            if len(self._queue) >= self.waiting:
                raise QueueFull
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="model", daemon=True)
                self._thread.start()
            job = Job(make, self._remove)
            self._queue.append(job)
            self._changed.notify()
        return job

    def close(self) -> None:
        """Ends every job: those that run after the step at hand, those that wait at once."""
        with self._changed:
            self._stopping = True
            _wake([(job, (), Closed()) for job in self._queue])
            self._queue.clear()
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Waits for the thread to end after `close`."""
        if self._thread:
            self._thread.join(seconds)

    def _remove(self, job: Job[T]) -> None:
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)

    def _work(self) -> None:
        while self._take():
            _wake(self._collected())
            if self.running:
                try:
                    self.step()
                except Exception as error:  # nobody's in particular, and the worker must live on
                    self._end_all(error)
        self._end_all(Closed())

    def _take(self) -> bool:
        """Lets jobs in from the line, waiting while there is nothing to do; false at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self.running or self._stopping)
            while self._queue and len(self.running) < self.max_running:
                self.running[self._queue.popleft()] = None
            return not self._stopping

    def _collected(self) -> list[Outcome[T]]:
        """What is new for everybody. Those who ended, or whose callers have gone, no longer run."""
        found: list[Outcome[T]] = []
        for job, source in list(self.running.items()):
            items, end = (), None
            try:
                if not job.closed.is_set():
                    source = source or job.make()
                    self.running[job] = source
                    items, end = source.next(), StopAsyncIteration() if source.done else None
            except Exception as error:  # its caller hears of it, nobody else
                end = error
            if items or end:
                found.append((job, items, end))
            if end or job.closed.is_set():
                self._end(job)
        return found

    def _end(self, job: Job[T]) -> None:
        source = self.running.pop(job)
        if source:
            with suppress(Exception):  # after a step that failed
                source.close()

    def _end_all(self, error: Exception) -> None:
        jobs = list(self.running)
        for job in jobs:
            self._end(job)
        _wake([(job, (), error) for job in jobs])


def _wake(outcomes: Sequence[Outcome[T]]) -> None:
    """Hands everything over, each event loop woken once: waking costs more than what it is done for."""
    loops: dict[asyncio.AbstractEventLoop, list[Outcome[T]]] = defaultdict(list)
    for outcome in outcomes:
        loops[outcome[0].loop].append(outcome)
    for loop, outcomes in loops.items():
        try:
            loop.call_soon_threadsafe(_deliver, outcomes)
        except RuntimeError:  # the callers' event loop has ended, and the callers with it
            for job, _, _ in outcomes:
                job.closed.set()


def _deliver(outcomes: Sequence[Outcome[T]]) -> None:
    for job, items, end in outcomes:
        job.deliver(items, end)
