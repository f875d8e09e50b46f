"""What a person sees while a stage works: one live line on a terminal, plain lines elsewhere, always on stderr."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gptwright.foundations.processes import is_first

console = Console(stderr=True, highlight=False)
PLAIN_SECONDS = 10.0


def say(text: str) -> None:
    """One line to the person, never to stdout, which is for results. Of several processes the first speaks."""
    if is_first():
        console.print(text, markup=False, soft_wrap=True)


class ProgressLine:
    """Use as a context manager; `update` may be called as often as there are steps."""

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        self.name, self.total, self.done = name, total, done
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal or not is_first(),
        )
        self._task = self._bar.add_task(name, total=total, completed=done, note="")
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
        note = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items())
        self._bar.update(self._task, completed=done, note=note)
        now = time.monotonic()
        if is_first() and not console.is_terminal and (now - self._printed >= PLAIN_SECONDS or done >= self.total):
            self._printed = now
            print(
                f"{self.name}  {done}/{self.total}  {note}  {self._left(now):.0f} s left", file=sys.stderr, flush=True
            )

    def _left(self, now: float) -> float:
        return (now - self._started) / max(self.done - self._first, 1) * (self.total - self.done)
