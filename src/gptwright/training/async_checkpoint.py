"""Checkpoints written beside the work: the loop copies its tensors, a thread turns the copies into files.

The next save and the end of the work wait for the thread. What kept it from writing is raised in the loop; the last
good checkpoint is still there then.
"""

from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from gptwright.foundations.errors import out_of_memory
from gptwright.foundations.progress import say
from gptwright.training.checkpoint import save_checkpoint
from gptwright.training.distributed.layout import ALL, Layout
from gptwright.training.distributed.sharded_tensors import written_here


class Saving:
    """Use as a context manager. One save is under way at a time; the copies' memory is kept for the next."""

    def __init__(self, folder: Path, *, every: int, keep_checkpoints: int, layout: Layout = ALL) -> None:
        self.folder, self.every, self.keep_checkpoints, self.layout = folder, every, keep_checkpoints, layout
        self._copies: dict[str, Tensor] = {}
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def is_time(self, step: int) -> bool:
        return step % self.every == 0

    def save(self, step: int, tensors: dict[str, Tensor], state: dict[str, object]) -> None:
        """Returns when the tensors are copied and may change again; where the copies find no room, when all is written.

        Raises what kept the save before from being written.
        """
        self.wait()
        try:
            self._copies = _copied(written_here(tensors, self.layout), self._copies)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            self._copies = {}
            self._write(step, tensors, state)
            self.check()
            return
        self._thread = Thread(target=self._write, args=(step, self._copies, state), daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises what kept a save from being written."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def wait(self) -> None:
        """Until the last save is on the disk."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def __enter__(self) -> "Saving":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is KeyboardInterrupt:
            return  # at once: an unfinished folder is no checkpoint
        try:
            self.wait()
        except Exception as late:
            if error is None:
                raise
            say(f"the last checkpoint was not written: {late}")

    def _write(self, step: int, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        try:
            save_checkpoint(
                self.folder,
                step,
                tensors,
                state,
                every=self.every,
                keep_checkpoints=self.keep_checkpoints,
                layout=self.layout,
            )
        except BaseException as error:
            self._error = error


@torch.no_grad()
def _copied(tensors: dict[str, Tensor], into: dict[str, Tensor]) -> dict[str, Tensor]:
    """Into the tensors of an earlier copy where they fit: fresh memory costs more than the copy itself."""
    copies: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        old = into.get(name)
        fits = old is not None and old.shape == tensor.shape and old.dtype == tensor.dtype
        if old is None or not fits:
            old = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
        copies[name] = old
        copies[name].copy_(tensor, non_blocking=True)
    if any(tensor.is_cuda for tensor in tensors.values()):
        torch.cuda.synchronize()
    return copies
