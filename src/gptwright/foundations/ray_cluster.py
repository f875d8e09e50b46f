"""Ray: processes of this machine, or of the cluster that RAY_ADDRESS names, begun when they are asked for.

What works there reads and writes by the same paths as this process, in the same folder: on several machines, on a disk
that all of them see.
"""

import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

from gptwright.foundations.errors import ProcessLost, ResourceError

STARTS = 2  # of Ray, which waits 30 seconds for itself: the second finds its files in memory
TRIES = 3  # of an item more, by other processes, when the one that had it has ended
T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def open_ray(what_for: str) -> Generator[Any]:
    """The module `ray`, connected to the cluster that RAY_ADDRESS names, or to one that ends with the block.

    Raises `ResourceError` when Ray is not installed or does not start.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise ResourceError(f"Ray for {what_for}", "none", "pip install 'gptwright[ray]'") from error
    _start(ray)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any) -> None:
    for left in reversed(range(STARTS)):
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            return
        except Exception as error:  # Ray raises a bare one when its node is too slow
            ray.shutdown()
            if not left:
                raise ResourceError("Ray, started within 30 seconds", str(error),
                                    "Try again when the machine is less busy, or start one (`ray start --head`) and "
                                    "set RAY_ADDRESS=auto.") from error  # fmt: skip


class RayTasks:
    """At most `count` items at once in processes of the cluster; those of a process that ends another takes over."""

    def __init__(self, ray: Any, count: int) -> None:
        self._ray, self.count = ray, count

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """As `Workers.map`."""
        task, shared = self._ray.remote(max_retries=TRIES)(_work_in), self._ray.put((os.getcwd(), work))
        waiting = enumerate(items)
        running = {task.remote(shared, item): number for number, item in islice(waiting, self.count)}
        done, given = dict[int, R](), 0
        try:
            while running:
                (ready, *_), _ = self._ray.wait(list(running))
                done[running.pop(ready)] = self._result(ready)
                running |= {task.remote(shared, item): number for number, item in islice(waiting, 1)}
                while given in done:
                    yield done.pop(given)
                    given += 1
        finally:
            for each in running:
                self._ray.cancel(each)

    def _result(self, ready: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(ready)
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError as error:
            raise ProcessLost("an answer of every process of Ray", f"none: {str(error).splitlines()[0]}",
                              "See Ray's log of it, and give the same command again: it goes on from what was "
                              "done.") from error  # fmt: skip


def _work_in(shared: tuple[str, Callable[[Any], Any]], item: Any) -> Any:
    folder, work = shared
    os.chdir(folder)
    return work(item)
