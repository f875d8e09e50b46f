"""Results come in the order of the items, errors whole, and who dies is told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from gptwright.foundations.errors import InputError, ProcessLost
from gptwright.foundations.workers import Processes, ThisProcess, Workers, open_workers


def square(number: int) -> tuple[int, int]:
    if number == 13:
        raise InputError("a lucky number", "13", "Take another.")
    return number * number, os.getpid()


def end_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("count", [1, 2])
def test_results_are_in_order_and_errors_whole(count: int, tmp_path: Path) -> None:
    with open_workers("processes", count, tmp_path) as workers:
        assert isinstance(workers, ThisProcess if count == 1 else Processes)
        found = list(workers.map(square, range(12)))
        assert [number for number, _ in found] == [i * i for i in range(12)]
        assert {process for _, process in found} == {os.getpid()} or count == 2
        assert list(workers.map(square, [])) == []
        with pytest.raises(InputError, match="a lucky number; got 13") as raised:
            list(workers.map(square, range(20)))
    assert raised.value.remedy == "Take another."


def test_one_that_ends_is_told() -> None:
    workers: Workers = Processes(2)
    with pytest.raises(ProcessLost, match="it has ended") as raised:
        list(workers.map(end_at_two, range(5)))
    assert "it goes on from what was done" in raised.value.remedy


def test_whose_parent_is_killed_ends_too(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from gptwright.foundations.workers import Processes
from test_workers import square
if __name__ == "__main__":
    for _, process in Processes(2).map(square, range(12)):
        print(process, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""
    (tmp_path / "killed.py").write_text(code)
    done = subprocess.run([sys.executable, tmp_path / "killed.py"], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    worker = int(done.stdout)
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(worker).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def wait_long(number: int) -> int:
    print(number, flush=True)
    time.sleep(60)
    return number


@pytest.mark.parametrize("to", [os.kill, os.killpg])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_at_once_and_only_the_parent_speaks(
    tmp_path: Path, number: signal.Signals, to: Callable[[int, int], None]
) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from gptwright.foundations.workers import open_workers
from test_workers import wait_long
if __name__ == "__main__":
    try:
        with open_workers("processes", 2, Path()) as workers:
            list(workers.map(wait_long, range(4)))
    except KeyboardInterrupt as error:
        print("stopped", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 130))
"""
    (tmp_path / "stopped.py").write_text(code)
    process = subprocess.Popen([sys.executable, tmp_path / "stopped.py"], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    assert process.stdout is not None
    assert {process.stdout.readline() for _ in range(2)} == {"0\n", "1\n"}
    others = psutil.Process(process.pid).children(recursive=True)
    to(process.pid, number)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (128 + number, "", "stopped\n")
    assert not psutil.wait_procs(others)[1]
