"""Numbers by their place, in a file without a name: they take no memory of their own, however many there are."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

WIDTH = 8
_PIECE = 2**16


class DiskNumbers:
    """Whole numbers from 0 on, 0 where none was set: below `folder`, or where the system has its temporary files. A
    context manager: the file is there as long as it is open."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __enter__(self) -> "DiskNumbers":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """The file is gone."""
        self._file.close()

    def __getitem__(self, place: int) -> int:
        return int.from_bytes(os.pread(self._file.fileno(), WIDTH, WIDTH * place), "little")

    def __setitem__(self, place: int, number: int) -> None:
        os.pwrite(self._file.fileno(), number.to_bytes(WIDTH, "little"), WIDTH * place)

    def pieces(self) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
        """All numbers up to the last that was set, in pieces, each with the place that it begins at."""
        place = 0
        while data := os.pread(self._file.fileno(), WIDTH * _PIECE, WIDTH * place):
            numbers = np.frombuffer(data, "<u8")
            yield place, numbers
            place += len(numbers)
