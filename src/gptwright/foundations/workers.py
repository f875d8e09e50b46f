"""The same work on many items: by this process, by others beside it, or by those of a Ray cluster.

Who asks does not know which: there is one method, `map`, and the results come in the order of the items.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Literal, Protocol, TypeVar, runtime_checkable

from gptwright.foundations.errors import ProcessLost
from gptwright.foundations.shutdown import HANG_UP, raise_on_stop

WorkerEngine = Literal["processes", "ray"]
T = TypeVar("T")
R = TypeVar("R")


@runtime_checkable
class Workers(Protocol):
    """Who works. What is to be done, the items and the results travel between processes, so they can be pickled."""

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """What `work` gives for each item, in their order. Raises what `work` raises, and `ProcessLost` when a process
        has ended that nobody stands in for."""
        ...


class ThisProcess:
    """One item after the other, here."""

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        return map(work, items)


class Processes:
    """`count` processes of this machine."""

    def __init__(self, count: int) -> None:
        self.count = count

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        context, count = get_context("spawn"), max(min(self.count, len(items)), 1)
        _start_tracker()
        wanted, held = context.Pipe(duplex=False)
        with wanted, held, ProcessPoolExecutor(count, context, _begin, (wanted,)) as pool:
            try:
                results = [pool.submit(work, item) for item in items]  # pool.map cancels what a pool is to end itself
                yield from (result.result() for result in results)
            except (KeyboardInterrupt, GeneratorExit):
                held.close()  # nobody waits for what they have begun
                raise
            except BrokenProcessPool as error:
                raise ProcessLost("an answer of every process that works", "none of one of them: it has ended",
                                  "Give the same command again, with fewer --workers if memory was short: it goes on "
                                  "from what was done.") from error  # fmt: skip
            finally:
                pool.shutdown(cancel_futures=True)


def _start_tracker() -> None:
    """The process that clears away what a pool leaves outlives SIGINT and SIGTERM of a whole group by itself; it is
    begun here so that it outlives SIGHUP, too."""
    if HANG_UP is None:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [HANG_UP])
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(wanted: "Connection[None, None]") -> None:
    """What each process of a pool does first: it ends without a word at Ctrl-C, which a terminal sends to all, and when
    the other end of `wanted` is closed, as it is when its parent stops or is killed: else it would wait for work for
    ever, as it holds both ends of the pipe that brings it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        wanted.poll(None)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def require_engine(engine: WorkerEngine) -> None:
    """Raises `ResourceError` when Ray is asked for, and is not installed or nobody is at its address: before work that
    it is not needed for."""
    if engine == "ray":
        from gptwright.foundations.ray_cluster import require_ray

        require_ray("workers")


@contextmanager
def open_workers(engine: WorkerEngine, count: int, folder: Path) -> Generator[Workers]:
    """`count` workers, there while the block runs, who leave what they make in `folder`.

    Raises `ResourceError` when Ray is asked for and is not installed or does not start.
    """
    if engine == "ray":
        from gptwright.foundations.ray_cluster import open_ray
        from gptwright.foundations.ray_tasks import RayTasks

        with open_ray("workers") as ray:
            yield RayTasks(ray, count, folder)
    else:
        with raise_on_stop() if count > 1 else nullcontext():
            yield Processes(count) if count > 1 else ThisProcess()
