"""What every stage that trains does around its steps: go on where it stopped, log, save, go back, stop when asked."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import ProgressLine, say
from gptwright.foundations.runs import StageFolder
from gptwright.foundations.shutdown import StopRequest, stop_request
from gptwright.training.async_checkpoint import Saving
from gptwright.training.checkpoint import forget_after, newest_checkpoint
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import PATIENCE, ROLLBACKS, Course


class Session:
    """Made by `session`. Do the steps of `course`, and call `record` after each."""

    def __init__(
        self,
        folder: StageFolder,
        optimizer: Optimizer,
        course: Course,
        saving: Saving,
        line: ProgressLine,
        stop: StopRequest,
    ) -> None:
        self.folder, self.optimizer, self.course = folder, optimizer, course
        self.state: dict[str, Any] = {}
        self._saving, self._line, self._stop = saving, line, stop
        self._restore()

    def record(self, step: int, **values: float) -> None:
        """Notes that `step` steps are done.

        Saves when it is time. Goes back to an earlier checkpoint when gradients were bad for long, so that the course's
        next step is another. Raises `Interrupted` when a stop was asked for, `ConfigError` when going back has not
        helped, and what kept the last save from being written.
        """
        self._saving.check()
        bad = self.course.bad
        self.folder.metrics.log(step, **values, **({"skipped_in_a_row": bad} if bad else {}))
        self._line.update(step, **values)
        finished = step >= self._line.total
        if bad >= PATIENCE and not finished:
            self._go_back()
            return
        self._stop.signal_number = self.optimizer.layout.world.largest(self._stop.signal_number)
        if (self._saving.is_time(step) and not bad) or finished or self._stop:
            self._saving.save(step, self.optimizer.tensors(), {"course": asdict(self.course), **self.state})
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
        self.course = Course(**self.state.pop("course"))
        self.folder.metrics.rewind(self.course.done)
        say(f"{self._line.name} goes on after step {self.course.done}")
        self._line.update(self.course.done)

    def _go_back(self) -> None:
        """To a checkpoint that a run leaves which is never stopped, and past the batches that came since."""
        self._saving.wait()
        course, trouble, skipped = self.course, self.course.done, self.optimizer.skipped
        why = f"gradients of {course.bad} batches in a row that are not finite or far too long, at step {trouble}"
        if course.rollbacks >= ROLLBACKS:
            raise ConfigError(f"another outcome after going back {ROLLBACKS} times", why,
                              "Begin again in a new folder, with a lower rate or a longer warmup.")  # fmt: skip
        found = newest_checkpoint(self._saving.folder, self._saving.every, self.optimizer.layout)
        if found is None:
            course.back_to(course)
            say(f"{self._line.name}: {why}. Nothing is saved yet to go back to")
            return
        tensors, state = found
        self.optimizer.restore(tensors)
        self.optimizer.skipped = skipped
        course.back_to(Course(**state["course"]))
        if self.optimizer.layout.world.first:
            forget_after(self._saving.folder, course.done)
        self.folder.metrics.rewind(course.done)
        self.folder.metrics.log(course.done + 1, went_back_from_step=trouble)
        self._line.update(course.done)
        say(f"{self._line.name}: {why}. Back to step {course.done}, and past the batches since")


@contextmanager
def session(
    folder: StageFolder, optimizer: Optimizer, *, steps: int, save_every: int, kept: int = 2, pieces: int = 1
) -> Generator[Session]:
    """Restores the newest checkpoint into `optimizer` and its model, shows progress, listens for SIGINT and SIGTERM.

    The last `kept` checkpoints stay, for going on, going back and averaging. `pieces` is what the course begins with.
    `Session.state` is a small JSON-able table that is saved and restored beside the tensors.
    """
    verb = str(folder.record["verb"])
    saving = Saving(folder / "checkpoints", every=save_every, kept=kept, layout=optimizer.layout)
    with stop_request() as stop, ProgressLine(verb, steps) as line, saving:
        yield Session(folder, optimizer, Course(pieces=pieces), saving, line, stop)
