"""Ray: processes of this machine, or of the cluster that RAY_ADDRESS names, begun when they are asked for.

What works there reads and writes by the same paths as this process, in the same folder: on several machines, on a disk
that all of them see.
"""

import logging
import os
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.errors import ProcessLost, ResourceError
from gptwright.foundations.version import __version__

STARTS = 2  # of Ray, which waits 30 seconds for itself: the second finds its files in memory
TRIES = 3  # of an item more, by other processes, when the one that had it has ended
OWN = "local"  # Ray's word for a cluster of this process, whatever else runs on this machine
SECONDS_TO_ANSWER = 10
T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def open_ray(what_for: str) -> Generator[Any]:
    """The module `ray`, connected to the cluster that RAY_ADDRESS names, or to one that ends with the block.

    Raises `ResourceError` when Ray is not installed or does not start.
    """
    _quiet()
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise ResourceError(f"Ray for {what_for}", "none", "pip install 'gptwright[ray]'") from error
    _require_answer()
    _start(ray)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any) -> None:
    address = os.environ.get("RAY_ADDRESS") or OWN
    for left in reversed(range(STARTS if address == OWN else 1)):
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            return
        except Exception as error:  # Ray raises a bare one when its node is too slow
            ray.shutdown()
            if not left:
                raise _not_there(address, str(error)) from error


def _quiet() -> None:
    """What Ray reads when it is imported: its C++ tells no warnings, and nobody is looked for 13 minutes long."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    if os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # of some 40 seconds


def _require_answer() -> None:
    """Raises `ResourceError` where nothing listens at the host and port that RAY_ADDRESS names."""
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
        except (OSError, OverflowError) as error:
            raise _not_there(address, str(error)) from error


def _not_there(address: str, got: str) -> ResourceError:
    if address == OWN:
        return ResourceError("Ray, started within 30 seconds", got,
                             "Try again when the machine is less busy, or start one (`ray start --head`) and set "
                             "RAY_ADDRESS=auto.")  # fmt: skip
    return ResourceError(f"a Ray cluster at RAY_ADDRESS={address}", got,
                         "Start it there (`ray start --head`), correct the address, or unset RAY_ADDRESS to work on "
                         "this machine.")  # fmt: skip


class RayTasks:
    """At most `count` items at once in processes of the cluster; those of a process that ends another takes over.

    What they make they leave in `folder`, which each of them must see.
    """

    def __init__(self, ray: Any, count: int, folder: Path) -> None:
        self._ray, self.count, self.folder = ray, count, folder

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """As `Workers.map`. Raises `ResourceError` where one does not see the folder, or is of another version."""
        with _marked(self.folder) as mark:
            yield from self._map(Place(os.getcwd(), mark), work, items)

    def _map(self, place: "Place", work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        task, shared = self._ray.remote(max_retries=TRIES)(_work_in), self._ray.put((place, work))
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


@dataclass(frozen=True)
class Place:
    """Where the one who asks is, and how another process knows that it sees the same disk."""

    folder: str
    mark: Path
    machine: str = field(default_factory=socket.gethostname)
    version: str = __version__

    def enter(self) -> None:
        """Raises `ResourceError` on a machine that has not the same folders, or another version."""
        if self.version != __version__:
            raise ResourceError(f"gptwright {self.version} on every machine, as on {self.machine}",
                                f"{__version__} on {socket.gethostname()}", "Install the same there.")  # fmt: skip
        with suppress(OSError):
            os.chdir(self.folder)
            if self.mark.is_file():
                return
        raise ResourceError(f"{self.folder} and {self.mark.parent} on every machine as on {self.machine}",
                            f"other folders, or none, on {socket.gethostname()}",
                            "Give the command in a folder on a disk that all machines see under the same path, with "
                            "data and --out there too.")  # fmt: skip


@contextmanager
def _marked(folder: Path) -> Generator[Path]:
    """A file in the folder that nobody else has made."""
    mark = folder / f".seen-{uuid4().hex}"
    write_text(mark, "Workers look for this file to know that they see this disk.\n")
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


def _work_in(shared: tuple[Place, Callable[[Any], Any]], item: Any) -> Any:
    place, work = shared
    place.enter()
    return work(item)
