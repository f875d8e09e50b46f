"""Opening files that may be compressed, with a limit on what a small compressed file may grow to."""

import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import zstandard

from gptwright.foundations.errors import InputError

COMPRESSED = (".gz", ".zst", ".xz")
MAX_BYTES = 2 * 2**30
# zstd keeps a window of what it wrote; these are the largest that it can (--long=31).
ZSTD_WINDOW = 2**31
# A zstd block of 4 bytes can stand for 128 KiB, so 2 KiB of input grow to at most 64 MiB at a time.
ZSTD_CHUNK = 2048
PIECE = 2**20  # bytes that are read at once

_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd", ".xz": b"\xfd7zXZ\x00"}
_DAMAGE = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class Lines(Protocol):
    """What lines are read of, such as an opened file."""

    def readline(self, size: int, /) -> bytes:
        """The next line, or so many bytes of it; nothing at the end."""
        ...


class LinesUntil:
    """The lines of an opened file, to an offset at which one ends."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def readline(self, most: int) -> bytes:
        """The next line, or so many bytes of it; nothing at the end."""
        line = self._file.readline(most) if self._left > 0 else b""
        self._left -= len(line)
        return line


@contextlib.contextmanager
def open_compressed(path: Path) -> Generator[BinaryIO]:
    """The file's bytes, decompressed while reading.

    Raises `InputError`, also from reads inside the block, when the file cannot be read or its compression is damaged.
    """
    try:
        with _open(path) as file:
            yield file
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    except OSError as error:
        raise InputError(f"a file that can be read, {path}", error.strerror or str(error),
                         "Correct the path or its permissions.") from error  # fmt: skip


def _unreadable(path: Path, error: Exception) -> InputError:
    """Why a compressed file cannot be read: most are damaged, but not all."""
    if "Dictionary mismatch" in str(error):
        return InputError(f"a file that needs no dictionary, {path}", "one that zstd wrote with a dictionary",
                          "Decompress it with that: zstd -d -D DICTIONARY FILE.")  # fmt: skip
    if "too much memory" in str(error):
        return InputError(f"a window of at most {ZSTD_WINDOW / 2**30:.3g} GiB in {path}", "a larger one",
                          "Decompress it where there is more memory, and compress it again.")  # fmt: skip
    with path.open("rb") as file:
        begins = file.read(6)
    if not begins.startswith(_MAGIC[path.suffix.lower()]):
        return InputError(f"{path.suffix} data in {path}", f"other data, which begins with {begins!r}",
                          "Rename it if it is not compressed so; else copy or download it again.")  # fmt: skip
    return InputError(f"a whole {path.suffix} file at {path}", f"a damaged one ({error})",
                      "Copy or download the file again.")  # fmt: skip


def read_all(file: IO[bytes], path: Path) -> bytes:
    """All bytes of an opened file. Raises `InputError` when they are more than one text may hold."""
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise too_large(path)
    return data


def read_lines(file: Lines, path: Path) -> Iterator[bytes]:
    """The file's lines, one in memory at a time. Raises `InputError` when one line is longer than a text may be."""
    while line := file.readline(MAX_BYTES + 1):
        if len(line) > MAX_BYTES:
            raise too_large(path)
        yield line


def lines_before(path: Path, place: int) -> int:
    """How many lines of an uncompressed file end before an offset."""
    with path.open("rb") as file:
        return sum(file.read(min(PIECE, place - at)).count(b"\n") for at in range(0, place, PIECE))


def too_large(path: Path) -> InputError:
    """The error for a text beyond `MAX_BYTES`."""
    limit = f"{MAX_BYTES / 2**30:.3g} GiB"
    return InputError(f"at most {limit} of text in one document of {path}", f"more than {limit} when decompressed",
                      "Cut it into several files, or into lines of a .jsonl file.")  # fmt: skip


def _open(path: Path) -> BinaryIO:
    match path.suffix.lower():
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".xz":
            return cast(BinaryIO, lzma.open(path, "rb"))
        case ".zst":
            return io.BufferedReader(ZstdFrames(path.open("rb")), 2**20)
        case _:
            return path.open("rb")


class ZstdFrames(io.RawIOBase):
    """Zstandard frames as a raw stream, which raises `EOFError` behind the last byte of one that was cut short: the
    library's own reader takes that for a whole one."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame: Any = None
        self._input = b""
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._output and self._fill():
            pass
        count = min(len(buffer), len(self._output))
        buffer[:count] = self._output[:count]
        self._output = self._output[count:]
        return count

    def _fill(self) -> bool:
        self._input = self._input or self._raw.read(ZSTD_CHUNK)
        if not self._input:
            if self._frame is not None:
                raise EOFError("it ends before its end mark")
            return False
        if self._frame is None:
            self._frame = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
        self._output = memoryview(self._frame.decompress(self._input))
        self._input = b""
        if self._frame.eof:
            self._input, self._frame = self._frame.unused_data, None
        return True

    def close(self) -> None:
        self._raw.close()
        super().close()
