"""What is shown while a stage works: on real terminals of several widths, on a dumb one, and where there is none."""

import os
import pty
import re
import struct
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from gptwright.foundations.progress import Progressed, ProgressLine, read_progress, say

WORK = """
import time
from gptwright.foundations.progress import ProgressLine
with ProgressLine("pretrain", 400) as line:
    for step in range(1, STEPS + 1):
        line.update(step, **{"loss": 3.94159, "norm of the gradient": 0.271828, "rate": 0.003, "tokens/s": 21345.6})
    time.sleep(0.3)
"""
FIGURES = ["loss 3.94", "norm of the gradient 0.272", "rate 0.003", "tokens/s 21,346"]


def test_messages_go_to_stderr_and_markup_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]a[/bold] " + "long " * 60)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "[bold]a[/bold] " + "long " * 60 + "\n"


def test_without_a_terminal_the_last_step_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine("pretrain", 10, done=2) as line:
        for step in range(3, 11):
            line.update(step, loss=1 / 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "pretrain  10/10  100%  0 s left  loss 0.333\n"


def test_now_and_then_there_is_a_plain_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(0, 1000, 3))  # a step every three
    monkeypatch.setattr("gptwright.foundations.progress.time.monotonic", lambda: float(next(seconds)))
    with ProgressLine("sft", 8) as line:
        for step in range(1, 9):
            line.update(step)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["sft  4/8  50%  12 s left", "sft  8/8  100%  0 s left"]
    assert [read_progress(line) for line in lines] == [Progressed("sft", 4, 8, 12), Progressed("sft", 8, 8, 0)]


@pytest.mark.parametrize(
    "line", ["", "sft  4/8", "improve: 160 rankings to train on", "  before: 4/8  50%  1 s left too"]
)
def test_other_lines_tell_no_progress(line: str) -> None:
    assert read_progress(line) is None


def on_a_terminal(columns: int, term: str, steps: int) -> str:
    """What the work, so many steps of it, writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    source = Path(sys.modules["gptwright"].__file__ or "").parents[1]
    hidden = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"TERM": term, "PYTHONPATH": str(source)}
    words = [sys.executable, "-c", WORK.replace("STEPS", str(steps))]
    with subprocess.Popen(words, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        written = b""
        try:
            while got := os.read(ours, 65536):
                written += got
        except OSError:  # how Linux says that the other side is closed
            pass
    os.close(ours)
    return written.decode()


@pytest.mark.parametrize(("columns", "fit"), [(40, 0), (60, 1), (80, 2), (120, 4), (200, 4)])
def test_stage_bar_percentage_and_time_left_are_seen_at_every_width(columns: int, fit: int) -> None:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", on_a_terminal(columns, "xterm", 200))
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", plain) if "50%" in line]
    assert lines
    assert all(len(line) <= columns for line in lines)
    for line in lines:
        known = re.match(r"pretrain ━+[╸╺━]+ +50% [-\d]:[-\d]{2}:[-\d]{2} left ?", line)
        assert known, line
        assert line[known.end() :].split("  ") == (FIGURES[:fit] or [""])


def test_a_dumb_terminal_gets_plain_lines() -> None:
    lines = on_a_terminal(80, "dumb", 400).split("\r\n")
    assert lines == ["  ".join(["pretrain", "400/400", "100%", "0 s left", *FIGURES]), ""]
