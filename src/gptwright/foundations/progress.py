"""What a person sees while a stage works: one live line on a terminal, plain lines elsewhere, always on stderr."""

import re
import time
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from gptwright.foundations.processes import is_first

console = Console(stderr=True, highlight=False)
PLAIN_SECONDS = 10.0
BAR = 12
BESIDE_METRICS = len(" ") + BAR + len(" 100% 00:00:00 left ")  # with the stage's name it fits into 40 columns


def say(text: str) -> None:
    """One line to the person, never to stdout, which is for results. Of several processes the first speaks."""
    if is_first():
        console.print(text, markup=False, soft_wrap=True)


def is_live() -> bool:
    """Whether a line can be written over: on a terminal that is not a dumb one."""
    return console.is_terminal and console.file.isatty() and not console.is_dumb_terminal


class Progressed(NamedTuple):
    """What a plain line of a `ProgressLine` says."""

    name: str
    done: int
    total: int
    seconds_left: float


PLAIN = re.compile(r"(?P<name>\S.*?)  (?P<done>\d+)/(?P<total>\d+)  \d+%  (?P<left>\d+) s left(?:  .*)?")


def read_progress(line: str) -> Progressed | None:
    """Reads a plain line again; None for any other line."""
    found = PLAIN.fullmatch(line)
    if not found:
        return None
    return Progressed(found["name"], int(found["done"]), int(found["total"]), float(found["left"]))


class ProgressLine:
    """Use as a context manager; `update` may be called as often as there are steps.

    What matters most stands first: the stage, how much is done, the time left; figures follow as far as they fit.
    """

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        self.name, self.total, self.done = name, total, done
        self._live = is_live()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            _Metrics(),
            console=console,
            transient=True,
            disable=not self._live or not is_first(),
        )
        self._task = self._bar.add_task(name, total=total, completed=done, metrics=[])
        self._started = self._printed = time.monotonic()
        self._first = done

    def __enter__(self) -> "ProgressLine":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def update(self, done: int, **values: float) -> None:
        """`values` are shown by name, in the order given."""
        self.done = done
        metrics = [f"{name} {_figure(value)}" for name, value in values.items()]
        self._bar.update(self._task, completed=done, metrics=metrics)
        now = time.monotonic()
        if not self._live and (now - self._printed >= PLAIN_SECONDS or done >= self.total):
            self._printed = now
            far = f"{done}/{self.total}  {done / self.total:.0%}  {self._left(now):.0f} s left"
            say("  ".join([self.name, far, *metrics]))

    def _left(self, now: float) -> float:
        return (now - self._started) / max(self.done - self._first, 1) * (self.total - self.done)


def _figure(value: float) -> str:
    """Three digits, and of what is large all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


class _Metrics(ProgressColumn):
    """As many of a task's figures as the terminal has room for, each of them whole."""

    def render(self, task: Task) -> Text:
        room = console.width - len(task.description) - BESIDE_METRICS
        shown: list[str] = []
        for metric in task.fields["metrics"]:
            room -= len(metric) + (2 if shown else 0)
            if room < 0:
                break
            shown.append(metric)
        return Text("  ".join(shown), no_wrap=True)
