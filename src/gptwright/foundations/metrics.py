"""metrics.jsonl: one line a measurement, appended, cut back to the last checkpoint when a run goes on."""

import json
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Protocol, cast

from gptwright.foundations.atomic_io import translate_os_errors, write_text
from gptwright.foundations.processes import is_first
from gptwright.foundations.progress import say
from gptwright.foundations.renamed import rename_metrics


class Listener(Protocol):
    """Somebody else who wants every figure."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class Metrics:
    """The measurements of one stage; of several processes the first writes them.

    Names carry their unit: `loss_nats`, `tokens_per_second`, `bits_per_byte`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listeners: list[Listener] = []

    def log(self, step: int, **values: float) -> None:
        """Appends one line, seven digits a value; a line is short enough to reach the file whole.

        A value that is not finite is null: JSON knows no other. A listener that fails is left out from then on.
        """
        shown = {name: float(f"{value:.7g}") if isfinite(value) else None for name, value in values.items()}
        line = json.dumps({"step": step, **shown})
        if is_first():
            self._append(line)
        self._tell(lambda listener: listener.log(step, values))

    def close(self) -> None:
        """Ends the listeners."""
        self._tell(lambda listener: listener.close())
        self.listeners = []

    def rewind(self, step: int) -> None:
        """Forgets what was logged after `step`, which will be done again."""
        if is_first() and self.path.exists():
            kept = [line for line in read_metrics(self.path) if (line["step"] or 0) <= step]
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))

    def _append(self, line: str) -> None:
        with translate_os_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _tell(self, act: Callable[[Listener], None]) -> None:
        for listener in list(self.listeners):
            try:
                act(listener)
            except Exception as error:  # whatever it is, the run is worth more
                self.listeners.remove(listener)
                say(f"{type(listener).__name__} gets no more figures: {error}")


def read_metrics(path: Path) -> list[dict[str, float | None]]:
    """All whole lines; the last one may be half written when a machine lost power, and is left out."""
    if not path.exists():
        return []
    lines: list[dict[str, float | None]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(rename_metrics(cast("dict[str, float | None]", json.loads(line))))
        except json.JSONDecodeError:
            break
    return lines
