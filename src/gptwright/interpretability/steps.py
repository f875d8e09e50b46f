"""Long work in steps, between which it may be left, or others may go on."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]


def finished(steps: Steps[T]) -> T:
    """What comes of all of them, one after another."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
