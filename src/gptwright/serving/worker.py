"""One thread that runs the model, one job after another, and a bounded line of jobs that wait for it.

The event loop stays free: each piece wakes it once. A job whose caller has gone is dropped from the line, or stopped
after the token at hand.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class LineFull(Exception):
    """As many jobs wait as may."""


class Closed(Exception):
    """The worker was closed before the job ended."""


class Job(Generic[T], AsyncIterator[T]):
    """What one caller waits for: iterate it, and `close` it whatever happens."""

    def __init__(self, make: Callable[[], Iterator[T]], drop: "Callable[[Job[T]], None]") -> None:
        self.make = make
        self.closed = threading.Event()
        self._drop = drop
        self._loop = asyncio.get_running_loop()
        self._made: asyncio.Queue[tuple[T] | Exception] = asyncio.Queue()

    def deliver(self, outcome: tuple[T] | Exception) -> None:
        """Hands over one item (as a tuple of one) or the error that ended the job; called by the worker's thread."""
        try:
            self._loop.call_soon_threadsafe(self._made.put_nowait, outcome)
        except RuntimeError:  # the caller's event loop has ended, and the caller with it
            self.closed.set()

    async def __anext__(self) -> T:
        outcome = await self._made.get()
        if isinstance(outcome, Exception):
            self._made.put_nowait(outcome)
            raise outcome
        return outcome[0]

    def close(self) -> None:
        """The caller needs no more; safe to call at any time, any number of times."""
        self.closed.set()
        self._drop(self)


class Worker(Generic[T]):
    """Runs jobs that make items of type `T`. `waiting` is how many may stand in line behind the running one."""

    def __init__(self, waiting: int = 64) -> None:
        self.waiting = waiting
        self.running: Job[T] | None = None
        self._line: deque[Job[T]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def submit(self, make: Callable[[], Iterator[T]]) -> Job[T]:
        """Puts a job in line. Raises `LineFull` when `waiting` jobs stand there, `Closed` when the worker is closed."""
        with self._changed:
            if self._stopping:
                raise Closed
            if len(self._line) >= self.waiting:
                raise LineFull
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="model", daemon=True)
                self._thread.start()
            job = Job(make, self._leave)
            self._line.append(job)
            self._changed.notify()
        return job

    def close(self) -> None:
        """Ends every job: the running one after its next piece, the waiting ones at once."""
        with self._changed:
            self._stopping = True
            while self._line:
                self._line.popleft().deliver(Closed())
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Waits for the thread to end after `close`."""
        if self._thread:
            self._thread.join(seconds)

    def _leave(self, job: Job[T]) -> None:
        with self._changed:
            if job in self._line:
                self._line.remove(job)

    def _next(self) -> Job[T] | None:
        with self._changed:
            self.running = None
            self._changed.wait_for(lambda: self._line or self._stopping)
            self.running = self._line.popleft() if self._line else None
            return self.running

    def _work(self) -> None:
        while job := self._next():
            self._run(job)

    def _run(self, job: Job[T]) -> None:
        try:
            for item in job.make():
                if self._stopping:
                    raise Closed
                if job.closed.is_set():
                    return
                job.deliver((item,))
            job.deliver(StopAsyncIteration())
        except Exception as error:  # the caller hears of it; the worker must live on
            job.deliver(error)
