"""A forward pass in shapes: every tensor that a line of this package makes, beside that line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import currentframe
from linecache import getline
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class ShapedLine:
    """A line of code, as often as it ran in a row, and what it made last."""

    file: str
    """from the package's folder on"""
    number: int
    code: str
    shape: tuple[int, ...]
    dtype: str
    depth: int
    """how many calls of the package's own lie around it"""


class _Recorder(TorchFunctionMode):
    """Notes what every function of torch returns, with the line of the package that asked for it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[ShapedLine] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        made = func(*args, **(kwargs or {}))
        tensor = made[0] if isinstance(made, tuple | list) and made else made
        if isinstance(tensor, Tensor) and getattr(func, "__name__", "") != "__get__":
            self._note(tensor)
        return made

    def _note(self, tensor: Tensor) -> None:
        found: tuple[str, int] | None = None
        frame, depth = currentframe(), 0
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith(str(PACKAGE)) and path != __file__:
                found = found or (path, frame.f_lineno)
                depth += 1
            frame = frame.f_back
        if found is None:
            return
        path, number = found
        code = getline(path, number).strip()
        line = ShapedLine(Path(path).relative_to(PACKAGE).as_posix(), number, code, tuple(tensor.shape),
                          str(tensor.dtype).removeprefix("torch."), depth)  # fmt: skip
        if self.lines and (self.lines[-1].file, self.lines[-1].number) == (line.file, number):
            self.lines.pop()  # several operations of one line: the last is what the line makes
        self.lines.append(line)


@torch.no_grad()
def shapes(network: nn.Module, *inputs: Tensor) -> list[ShapedLine]:
    """Of one reading, such as of ids (1, T), in the order in which it ran."""
    with _Recorder() as recorder:
        network(*inputs)
    return recorder.lines
