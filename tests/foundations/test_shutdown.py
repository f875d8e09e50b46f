import os
import signal
import threading

import pytest

from gptwright.foundations.errors import Interrupted
from gptwright.foundations.shutdown import stop_request


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
