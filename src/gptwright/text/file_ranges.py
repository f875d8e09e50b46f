"""A file, or of a large one of lines the bytes from one line to another: what is read, kept and done again as one.

Only an uncompressed .jsonl is cut: its lines are documents of their own, and they are found without reading what stands
before them.
"""

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gptwright.text.documents import Document, Skip
from gptwright.text.read import fingerprint, read_file, read_range
from gptwright.text.read_options import ReadOptions

CUT = ".jsonl"
PIECE = 2**20  # bytes that are read at once


@dataclass(frozen=True)
class FileRange:
    """The bytes of a file from `begin` to `end`, at which lines begin; the whole file without an end."""

    path: Path
    begin: int = 0
    end: int | None = None

    @property
    def size(self) -> int:
        """In bytes; 0 of a file that is gone, which reading will say."""
        return size_of(self.path) if self.end is None else self.end - self.begin

    def read(self, path: Path, skip: Skip, options: ReadOptions | None = None) -> Generator[Document]:
        """Its documents, as `read_file` gives those of all the file."""
        if self.end is None:
            return read_file(path, skip, options)
        return read_range(path, self.begin, self.end, skip, options)

    def fingerprint(self) -> tuple[int, str] | None:
        """Its bytes and their SHA-256; None where the file cannot be read."""
        if self.end is None:
            return fingerprint(self.path)
        try:
            return self.size, self._sha256()
        except OSError:
            return None

    def _sha256(self) -> str:
        digest, left = hashlib.sha256(), self.size
        with self.path.open("rb") as file:
            file.seek(self.begin)
            while left and (piece := file.read(min(left, PIECE))):
                digest.update(piece)
                left -= len(piece)
        return digest.hexdigest()


def size_of(path: Path) -> int:
    """In bytes; 0 of a file that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def ranges(path: Path, most: int) -> Iterator[FileRange]:
    """The file in its order, in ranges of some `most` bytes where it can be cut."""
    size = size_of(path)
    try:
        ends = _ends(path, most, size) if path.suffix.lower() == CUT and size > most else []
    except OSError:  # reading it will say why
        ends = []
    yield from (FileRange(path, *pair) for pair in pairwise([0, *ends])) if ends else (FileRange(path),)


def _ends(path: Path, most: int, size: int) -> list[int]:
    """Where ranges end."""
    ends = [_line_behind(path, most, size)]
    while ends[-1] < size:
        ends.append(_line_behind(path, ends[-1] + most, size))
    return ends


def _line_behind(path: Path, place: int, size: int) -> int:
    """Where the next line begins at or behind `place`; the end of the file where none does."""
    with path.open("rb") as file:
        file.seek(place - 1)
        while (line := file.readline(PIECE)) and not line.endswith(b"\n"):
            pass
        return min(file.tell(), size)
