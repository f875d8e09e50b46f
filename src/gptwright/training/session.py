"""What every stage that trains does around its steps: go on where it stopped, log, save, go back, stop when asked."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import ProgressLine, say
from gptwright.foundations.runs import StageFolder
from gptwright.foundations.shutdown import StopRequest, stop_request
from gptwright.training.async_checkpoint import Saving
from gptwright.training.checkpoint import forget_after, newest_checkpoint
from gptwright.training.optimizer import Optimizer
from gptwright.training.shown import shown
from gptwright.training.train_state import PATIENCE, ROLLBACKS, TrainState, take_train_state


class Session:
    """Made by `session`. Do the steps of `train_state`, and call `record` after each."""

    def __init__(
        self,
        folder: StageFolder,
        optimizer: Optimizer,
        train_state: TrainState,
        saving: Saving,
        line: ProgressLine,
        stop: StopRequest,
    ) -> None:
        self.folder, self.optimizer, self.train_state = folder, optimizer, train_state
        self.state: dict[str, Any] = {}
        self._saving, self._line, self._stop = saving, line, stop
        self._restore()

    def record(self, step: int, **values: float) -> None:
        """Notes that `step` steps are done.

        Saves when it is time. Goes back to an earlier checkpoint when gradients were bad for long, so that the next
        step is another. Raises `Interrupted` when a stop was asked for, `ConfigError` when going back has not
        helped, and what kept the last save from being written.
        """
        self._saving.check()
        self.folder.note_step()
        bad = self.train_state.bad
        self.folder.metrics.log(step, **values, **({"skipped_in_a_row": bad} if bad else {}))
        self._line.update(step, **shown(self._line.name, values))
        finished = step >= self._line.total
        if bad >= PATIENCE and not finished:
            self._go_back()
            return
        self._stop.signal_number = self.optimizer.layout.world.all_max(self._stop.signal_number)
        if (self._saving.is_time(step) and not bad) or finished or self._stop:
            self._saving.save(step, self.optimizer.tensors(), {"train_state": asdict(self.train_state), **self.state})
            self.folder.save()
        if not finished and self._stop:
            self._saving.wait()
            self._stop.raise_if_asked(f"{self._line.name} saved at step {step} of {self._line.total}")

    def _restore(self) -> None:
        found = newest_checkpoint(self._saving.folder, layout=self.optimizer.layout)
        if found is None:
            self.folder.metrics.rewind(0)
            return
        tensors, self.state = found
        self.optimizer.restore(tensors)
        self.state.pop("step")
        self.train_state = take_train_state(self.state)
        self.folder.metrics.rewind(self.train_state.done)
        say(f"{self._line.name} goes on after step {self.train_state.done}")
        self._line.update(self.train_state.done)

    def _go_back(self) -> None:
        """To a checkpoint that a run leaves which is never stopped, and past the batches that came since."""
        self._saving.wait()
        train_state, trouble, skipped = self.train_state, self.train_state.done, self.optimizer.skipped
        why = f"gradients of {train_state.bad} batches in a row that are not finite or far too long, at step {trouble}"
        if train_state.rollbacks >= ROLLBACKS:
            raise ConfigError(f"another outcome after going back {ROLLBACKS} times", why,
                              "Begin again in a new folder, with a lower rate or a longer warmup.")  # fmt: skip
        found = newest_checkpoint(self._saving.folder, self._saving.every, self.optimizer.layout)
        if found is None:
            train_state.back_to(train_state)
            say(f"{self._line.name}: {why}. Nothing is saved yet to go back to")
            return
        tensors, state = found
        self.optimizer.restore(tensors)
        self.optimizer.skipped = skipped
        train_state.back_to(take_train_state(state))
        self.state |= {name: value for name, value in state.items() if name != "step"}
        if self.optimizer.layout.world.first:
            forget_after(self._saving.folder, train_state.done)
        self.folder.metrics.rewind(train_state.done)
        self.folder.metrics.log(train_state.done + 1, went_back_from_step=trouble)
        self._line.update(train_state.done)
        say(f"{self._line.name}: {why}. Back to step {train_state.done}, and past the batches since")


@runtime_checkable
class SessionOptions(Protocol):
    """How often to save, how many checkpoints stay, and the micro-batches to begin with (`TrainingOptions`)."""

    @property
    def save_every(self) -> int: ...
    @property
    def keep_checkpoints(self) -> int: ...
    @property
    def micro_batches(self) -> int: ...


@contextmanager
def session(folder: StageFolder, optimizer: Optimizer, options: SessionOptions, *, steps: int) -> Generator[Session]:
    """Restores the newest checkpoint into `optimizer` and its model, shows progress, listens for SIGINT and SIGTERM.

    `Session.state` is a small JSON-able table that is saved and restored beside the tensors.
    """
    verb = str(folder.record["verb"])
    saving = Saving(
        folder / "checkpoints",
        every=options.save_every,
        keep_checkpoints=options.keep_checkpoints,
        layout=optimizer.layout,
    )
    with stop_request() as stop, ProgressLine(verb, steps) as line, saving:
        yield Session(folder, optimizer, TrainState(micro_batches=options.micro_batches), saving, line, stop)
