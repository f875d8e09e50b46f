"""SIGINT, SIGTERM and SIGHUP ask for a stop; whoever owns the state finishes its step, saves, and stops.

A second Ctrl-C stops at once. What keeps its work piece by piece needs no step finished: it ends by an exception.
"""

import contextlib
import os
import signal
import stat
import threading
from collections.abc import Callable, Generator, Iterable
from types import FrameType

from gptwright.foundations.errors import Interrupted, Stopped

HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""of a terminal that is gone; Windows has no such signal"""
Handler = Callable[[int, FrameType | None], None]


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
    """Listens for all three inside the block."""
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal_number = number

    with _handled((signal.SIGINT, signal.SIGTERM), ask), _handled(_unhandled(HANG_UP), ask):
        yield request


@contextlib.contextmanager
def raise_on_stop() -> Generator[None]:
    """SIGTERM and SIGHUP raise `Stopped` inside the block, as SIGINT raises `KeyboardInterrupt`, so that other
    processes and open files are left in order. One that is ignored or has a handler keeps that."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    with _handled(_unhandled(signal.SIGTERM, HANG_UP), end):
        yield


@contextlib.contextmanager
def _handled(numbers: Iterable[int], handler: Handler) -> Generator[None]:
    """Signals have a handler inside the block, in the main thread, the only one where Python delivers them."""

    def handle(number: int, frame: FrameType | None) -> None:
        if number == HANG_UP:
            _leave_terminal()
        handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def _unhandled(*numbers: int | None) -> list[int]:
    """Those that would end the process: nohup has SIGHUP ignored, which is to stay so."""
    return [number for number in numbers if number is not None and signal.getsignal(number) is signal.SIG_DFL]


def _leave_terminal() -> None:
    """Nothing can be written to one that is gone, and no message must end what is being saved."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nowhere, stream)
    os.close(nowhere)
