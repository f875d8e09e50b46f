"""TensorBoard: event files below the stage's folder, for `tensorboard --logdir runs`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gptwright.foundations.metrics import Listener


class TensorBoard:
    """A run that goes on hides what was written of the steps it does again."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._open, self._folder = SummaryWriter, folder
        self._writer: Any = None

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if self._writer is None:
            self._writer = self._open(str(self._folder), purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def open_tracker(folder: Path, name: str, config: Mapping[str, object]) -> Listener:
    """Needs the package tensorboard."""
    return TensorBoard(folder)
