"""What every stage that trains does around its steps: go on where it stopped, log, save, stop when asked."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from gptwright.foundations.progress import ProgressLine, say
from gptwright.foundations.runs import StageFolder
from gptwright.foundations.signals import StopRequest, stop_request
from gptwright.training.checkpoint import KEPT, newest_checkpoint, save_checkpoint
from gptwright.training.optimizer import Optimizer


class Session:
    """Made by `session`. `first` is the step to go on with; call `record` after every step."""

    def __init__(
        self,
        folder: StageFolder,
        optimizer: Optimizer,
        line: ProgressLine,
        stop: StopRequest,
        *,
        save_every: int,
        kept: int,
    ) -> None:
        self.folder, self.optimizer, self.save_every, self.kept = folder, optimizer, save_every, kept
        self.state: dict[str, Any] = {}
        self._line, self._stop = line, stop
        self.first = self._restore()

    def record(self, step: int, **values: float) -> None:
        """Notes that `step` steps are done. Saves when it is time; raises `Interrupted` when a stop was asked for."""
        self.folder.metrics.log(step, **values)
        self._line.update(step, **values)
        finished = step >= self._line.total
        if step % self.save_every == 0 or finished or self._stop:
            save_checkpoint(self.folder / "checkpoints", step, self.optimizer.tensors(), self.state,
                            every=self.save_every, kept=self.kept)  # fmt: skip
            self.folder.save()
        if not finished:
            self._stop.raise_if_asked(f"{self._line.name} saved at step {step} of {self._line.total}")

    def _restore(self) -> int:
        found = newest_checkpoint(self.folder / "checkpoints")
        if found is None:
            self.folder.metrics.rewind(0)
            return 0
        tensors, self.state = found
        self.optimizer.restore(tensors)
        step = int(self.state.pop("step"))
        self.folder.metrics.rewind(step)
        say(f"{self._line.name} goes on after step {step}")
        self._line.update(step)
        return step


@contextmanager
def session(
    folder: StageFolder, optimizer: Optimizer, *, steps: int, save_every: int, kept: int = KEPT
) -> Generator[Session]:
    """Restores the newest checkpoint into `optimizer` and its model, shows progress, listens for SIGINT and SIGTERM.

    The last `kept` checkpoints stay, for going on and for averaging.
    `Session.state` is a small JSON-able table that is saved and restored beside the tensors.
    """
    verb = str(folder.record["verb"])
    with stop_request() as stop, ProgressLine(verb, steps) as line:
        yield Session(folder, optimizer, line, stop, save_every=save_every, kept=kept)
