"""SIGINT and SIGTERM ask for a stop; whoever owns the state finishes its step, saves, and stops.

A second Ctrl-C stops at once.
"""

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType

from gptwright.foundations.errors import Interrupted


class StopRequest:
    """Becomes true when the process is asked to stop."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __bool__(self) -> bool:
        return self.signal_number != 0

    def raise_if_asked(self, saved: str) -> None:
        """Raises `Interrupted` when a stop was asked for; call it right after saving."""
        if self:
            raise Interrupted(saved, self.signal_number)


@contextlib.contextmanager
def stop_request() -> Generator[StopRequest]:
    """Listens for SIGINT and SIGTERM inside the block (only in the main thread, where Python delivers them)."""
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal_number = number

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
