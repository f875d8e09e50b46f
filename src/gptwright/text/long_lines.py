"""Lines longer than any that a person wrote, such as of a damaged file or a dump: never held, and told as such."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from gptwright.foundations.errors import InputError
from gptwright.text.compression import MAX_BYTES, Lines, too_large

LONGEST_LINE = 2**28
"""bytes; also of a .json file, of which all is one value"""
TOO_LONG = "over 256 MiB in one line"
_PIECE = 2**20


class LongLine(InputError):
    """A text has a line of more than `LONGEST_LINE` bytes."""


def read_short_lines(file: Lines, skip: Callable[[], None]) -> Iterator[bytes]:
    """The file's lines, one in memory at a time; of one of more than `LONGEST_LINE` bytes no more than that is ever
    held, and `skip` is called for it."""
    while piece := file.readline(_PIECE):
        pieces, size = [piece], len(piece)
        while len(piece) == _PIECE and not piece.endswith(b"\n") and (piece := file.readline(_PIECE)):
            size += len(piece)
            if size <= LONGEST_LINE:
                pieces.append(piece)
            else:
                pieces.clear()
        if size > LONGEST_LINE:
            skip()
            continue
        if len(pieces) > 1:
            piece = b"".join(pieces)
        pieces.clear()
        yield piece


def read_lined(file: IO[bytes], path: Path) -> bytes:
    """All bytes of a text, which is one document.

    Raises `LongLine` as soon as a line is too long, and `InputError` when all is more than one text may hold.
    """
    pieces, size, line = list[bytes](), 0, 0
    while piece := file.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        ends = [at for sign in (b"\n", b"\r") if (at := piece.find(sign)) >= 0]
        first = min(ends, default=len(piece))
        if line + first > LONGEST_LINE:
            raise LongLine(f"lines of at most {LONGEST_LINE / 2**20:.3g} MiB in {path}", "a longer one",
                           "Leave it out, or break its lines.")  # fmt: skip
        if size > MAX_BYTES:
            raise too_large(path)
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        line = line + first if last < 0 else len(piece) - last - 1
    return b"".join(pieces)
