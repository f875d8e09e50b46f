"""Which of several processes this is, as torchrun says it in the environment; alone where nobody says."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from gptwright.foundations.errors import ConfigError, ProcessLost

NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# What gloo and NCCL write into the RuntimeError that torch raises for every failure of theirs.
LOST = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL")


@dataclass(frozen=True)
class Process:
    """Number `rank` of `count`, number `place` of the `beside` on this machine."""

    rank: int = 0
    count: int = 1
    place: int = 0
    beside: int = 1

    @property
    def first(self) -> bool:
        """The one that writes and speaks."""
        return self.rank == 0


def this_process() -> Process:
    """Raises `ConfigError` when there are several and they cannot find each other."""
    if not several():
        return Process()
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        raise ConfigError(f"{', '.join(missing)} in the environment of one of several processes", "nothing there",
                          "Start them with torchrun … -m gptwright, which sets them.")  # fmt: skip
    rank, count, place, beside = (int(os.environ[name]) for name in NEEDED[:4])
    return Process(rank, count, place, beside)


def several() -> bool:
    """Whether somebody started more than one process for this work."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def is_first() -> bool:
    """Whether this is the process that writes and speaks."""
    return os.environ.get("RANK", "0") == "0" or not several()


@contextmanager
def translate_lost_process() -> Generator[None]:
    """Turns torch's error about another process that has ended, or cannot be reached, into a `ProcessLost`."""
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error) for word in LOST):
            raise
        raise ProcessLost("an answer of every process", "none of one of them: it has ended, or the network failed",
                          "See its own message; the same command goes on from the last checkpoint."
                          ) from error  # fmt: skip
