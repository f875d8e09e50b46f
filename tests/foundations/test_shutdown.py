import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from gptwright.foundations.errors import Interrupted, Stopped
from gptwright.foundations.shutdown import raise_on_stop, stop_request


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_and_the_owner_of_the_state_stops(number: int) -> None:
    before = signal.getsignal(number)
    with stop_request() as stop:
        stop.raise_if_asked("nothing yet")
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
        with pytest.raises(Interrupted, match="stopped; saved at step 3") as error:
            stop.raise_if_asked("saved at step 3")
    assert error.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_a_second_interrupt_stops_at_once() -> None:
    with stop_request():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_second_request_to_terminate_waits() -> None:
    with stop_request() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal_number == signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_cannot_finish_a_step_ends_by_an_exception(number: int) -> None:
    with raise_on_stop(), pytest.raises(KeyboardInterrupt) as error:
        os.kill(os.getpid(), number)
    assert isinstance(error.value, Stopped) and error.value.exit_code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("listens", [stop_request, raise_on_stop])
def test_a_hang_up_that_is_ignored_stays_so(listens: Callable[[], AbstractContextManager[object]]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with listens():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_behind_a_terminal_that_is_gone_what_is_said_does_no_harm() -> None:
    code = """
import os, signal, sys, time
from gptwright.foundations.shutdown import stop_request
with stop_request() as stop:
    print("begun", flush=True)
    while not stop:
        time.sleep(0.01)
    print("saved", file=sys.stderr, flush=True)
sys.exit(stop.signal_number)
"""
    ours, theirs = os.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs,
                               start_new_session=True)  # fmt: skip
    os.close(theirs)
    assert os.read(ours, 100).startswith(b"begun")
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait() == signal.SIGHUP


def test_outside_the_main_thread_nothing_is_changed() -> None:
    found: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with stop_request() as stop:
            found.append(bool(stop) or signal.getsignal(signal.SIGTERM) is not before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
