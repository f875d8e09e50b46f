"""The same work on many items by processes of a Ray cluster.

What works there reads and writes by the same paths as this process, in the same folder: on several machines, on a disk
that all of them see.
"""

import os
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.errors import GptwrightError, ProcessLost, ResourceError
from gptwright.foundations.progress import say
from gptwright.foundations.ray_cluster import Head
from gptwright.foundations.version import __version__

TRIES = 3  # of an item more, by other processes, when the one that had it has ended
SECONDS_BETWEEN_CALLS = 5.0
T = TypeVar("T")
R = TypeVar("R")


class RayTasks:
    """At most `count` items at once in processes of the cluster; those of a process that ends another takes over.

    What they make they leave in `folder`, which each of them must see.
    """

    def __init__(self, ray: Any, count: int, folder: Path) -> None:
        self._ray, self.count, self.folder, self._head = ray, count, folder, Head(ray)
        if (processors := int(ray.cluster_resources().get("CPU", 0))) < count:
            say(f"{count} workers are asked for and the Ray cluster has {processors} processors: the others wait until "
                "machines join it")  # fmt: skip

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """As `Workers.map`. Raises `ResourceError` where one does not see the folder, or is of another version."""
        with _marked(self.folder) as mark:
            yield from self._map(Place(os.getcwd(), mark), work, items)

    def _map(self, place: "Place", work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        task, shared = self._ray.remote(max_retries=TRIES)(work_in), self._ray.put((place, work))
        waiting = enumerate(items)
        running = {task.remote(shared, item): number for number, item in islice(waiting, self.count)}
        done, given = dict[int, R](), 0
        try:
            while running:
                ready = self._first_of(list(running))
                done[running.pop(ready)] = self._result(ready)
                running |= {task.remote(shared, item): number for number, item in islice(waiting, 1)}
                while given in done:
                    yield done.pop(given)
                    given += 1
        finally:
            for each in running:
                self._ray.cancel(each)

    def _first_of(self, running: list[Any]) -> Any:
        """The first that is done. Raises `ProcessLost` when the head is gone, before Ray ends this process for it."""
        self._head.seen()
        while True:
            ready, _ = self._ray.wait(running, timeout=SECONDS_BETWEEN_CALLS)
            if ready:
                return ready[0]
            self._head.require()

    def _result(self, ready: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(ready)
        except errors.RayTaskError as error:
            if isinstance(error.cause, errors.RayError):  # it could not even begin
                raise ResourceError(f"gptwright {__version__} and what it imports on every machine of the Ray cluster",
                                    str(error.cause).splitlines()[0], "Install the same there, in the Python that runs "
                                    "Ray.") from error  # fmt: skip
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
        made = Path(self.folder, self.mark.parent)
        raise ResourceError(f"{self.folder} and {made} on every machine as on {self.machine}",
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


def work_in(shared: tuple[Place, Callable[[Any], Any]], item: Any) -> Any:
    """What a process of the cluster does with an item. Raises what `Place.enter` and the work raise."""
    place, work = shared
    place.enter()
    try:
        return work(item)
    except GptwrightError as error:
        if (here := socket.gethostname()) == place.machine:
            raise
        raise type(error)(error.needed, f"{error.got}, on the machine {here}", error.remedy) from error
