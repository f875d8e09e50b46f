"""The same work on many items: by this process, by others beside it, or by those of a Ray cluster.

Who asks does not know which: there is one method, `map`, and the results come in the order of the items.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Literal, Protocol, TypeVar, runtime_checkable

from gptwright.foundations.errors import ProcessLost

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
        count = max(min(self.count, len(items)), 1)
        with ProcessPoolExecutor(count, get_context("spawn"), _begin) as pool:
            try:
                yield from pool.map(work, items)
            except BrokenProcessPool as error:
                raise ProcessLost("an answer of every process that works", "none of one of them: it has ended",
                                  "Give the same command again, with fewer --workers if memory was short: it goes on "
                                  "from what was done.") from error  # fmt: skip
            finally:
                pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """What each process of a pool does first: it ends without a word at Ctrl-C, which a terminal sends to all, and when
    its parent is killed, for whose work it would wait for ever, as it holds both ends of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def open_workers(engine: WorkerEngine, count: int) -> Generator[Workers]:
    """`count` workers, there while the block runs. Raises `ResourceError` when Ray is asked for and does not start."""
    if engine == "ray":
        from gptwright.foundations.ray_cluster import RayTasks, open_ray

        with open_ray("workers") as ray:
            yield RayTasks(ray, count)
    else:
        yield Processes(count) if count > 1 else ThisProcess()
