"""GGUF, llama.cpp's file of one model: a header, named values, a table of tensors, then the tensors' bytes.

Nothing in a file is believed before it is checked: a count or a length against the bytes that are left, a tensor
against the end of the file and against its neighbours. A damaged or hostile file costs one error and little memory.
"""

import mmap
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.errors import ArtifactError, ConfigError

VERSIONS = (2, 3)
NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 10: "<Q", 11: "<q", 12: "<d"}
BOOL, TEXT, ARRAY = 7, 8, 9
ALIGNMENT = "general.alignment"
Blocks = dict[int, tuple[str, int, int]]
Numbers = np.ndarray[Any, np.dtype[np.float32]]

# Several times what the largest public models need; below them, a file can cost no more than some 100 MB to refuse.
MOST_HEADER = 64 << 20  # bytes before the tensors
MOST_NAMED = 1 << 16  # values, and tensors
MOST_ENTRIES = 1 << 22  # of all arrays together
MOST_TEXT = 1 << 20  # bytes of one text
MOST_NAME = 255  # bytes of one name


@dataclass(frozen=True, kw_only=True)
class GGUFTensor:
    """Where one tensor lies in the file. `shape` is in torch's order, rows first; `kind` is ggml's number of a type."""

    shape: tuple[int, ...]
    kind: int
    start: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Container:
    """A checked file: its values, its tensors by name, and all its bytes, which stay on the disk until they are read.

    A value is a bool, an int, a float, a text or a tuple of one of these.
    """

    path: Path
    metadata: dict[str, Any]
    tensors: dict[str, GGUFTensor]
    data: np.ndarray[Any, np.dtype[np.uint8]]


def read_container(path: Path) -> Container:
    """Opens a file of GGUF 2 or 3, little-endian.

    Raises `ArtifactError` naming the place and what is wrong there, `ConfigError` when the `gguf` package is missing.
    """
    blocks = block_sizes()
    cursor = _Cursor(path, _opened(path))
    _check_start(cursor)
    tensors = cursor.count("tensors", MOST_NAMED, 33)
    values = cursor.count("values", MOST_NAMED, 14)
    metadata = _metadata(cursor, values)
    table = [_row(cursor, i, tensors) for i in range(tensors)]
    alignment = metadata.get(ALIGNMENT, 32)
    if type(alignment) is not int or not 0 < alignment <= MOST_TEXT or alignment & (alignment - 1):
        raise ArtifactError(f"a power of two as {ALIGNMENT} in {path}", repr(alignment)[:60], cursor.remedy)
    start = -(-cursor.at // alignment) * alignment
    stored = _placed(table, start, alignment, blocks, cursor)
    return Container(path=path, metadata=metadata, tensors=stored, data=np.frombuffer(cursor.data, dtype=np.uint8))


def write_container(
    path: Path, architecture: str, values: Mapping[str, Any], tensors: Iterable[tuple[str, str, Numbers]]
) -> None:
    """Writes a file whole or not at all: `values` as `Container` has them, `tensors` as name, type of ggml, numbers.

    Raises `ConfigError` when the `gguf` package is missing, `ResourceError` when the file cannot be written.
    """
    block_sizes()
    write_file(path, lambda unfinished: _write(unfinished, architecture, values, list(tensors)))


def _write(path: Path, architecture: str, values: Mapping[str, Any], tensors: list[tuple[str, str, Numbers]]) -> None:
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    writer = GGUFWriter(path, architecture)
    adds = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    for key, value in values.items():
        adds.get(type(value), writer.add_array)(key, value)
    kinds = [GGMLQuantizationType[word] for _, word, _ in tensors]
    for (name, _, numbers), kind in zip(tensors, kinds, strict=True):
        sizes = block_sizes()[kind]
        writer.add_tensor_info(name, numbers.shape, numbers.dtype, numbers.size // sizes[1] * sizes[2], kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for (_, _, numbers), kind in zip(tensors, kinds, strict=True):
        writer.write_tensor_data(quantize(numbers, kind))
    writer.close()


def block_sizes() -> Blocks:
    """Of every type of ggml by its number: name, numbers in a block, bytes of a block."""
    try:
        from gguf.constants import GGML_QUANT_SIZES
    except ImportError as error:
        raise ConfigError("the package gguf, for GGUF files", "no such package here",
                          "pip install 'gptwright[gguf]'") from error  # fmt: skip
    return {int(kind): (kind.name, numbers, size) for kind, (numbers, size) in GGML_QUANT_SIZES.items()}


class _Cursor:
    """A place in the file that only moves over bytes that are there."""

    remedy = "Fetch or copy the file again."

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.at, self.entries = path, data, 0, 0
        self.end = min(len(data), MOST_HEADER)

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes."""
        start = self.at
        if size > self.end - start:
            raise self.short(size, what)
        self.at = start + size
        return self.data[start : self.at]

    def number(self, code: str, what: str) -> Any:
        """The next number; `code` is that of `struct`."""
        return struct.unpack(code, self.take(struct.calcsize(code), what))[0]

    def count(self, what: str, most: int, smallest: int) -> int:
        """The next count: of at most `most` things which take at least `smallest` bytes each."""
        number: int = self.number("<Q", f"the number of {what}")
        if number > most:
            raise self.wrong(f"at most {most:,} {what}", f"{number:,}")
        if number * smallest > self.end - self.at:
            raise self.short(number * smallest, f"{number:,} {what}")
        return number

    def text(self, what: str, most: int = MOST_TEXT) -> str:
        """The next text: its length in bytes, then UTF-8."""
        start = self.at
        length = self.number("<Q", f"the length of {what}")
        if length > most:
            raise self.wrong(f"at most {most:,} bytes as {what} at byte {start}", f"{length:,}")
        try:
            return self.take(length, what).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.wrong(
                f"UTF-8 as {what} at byte {start}", f"byte {self.at - length + error.start} is not"
            ) from error

    def name(self, what: str) -> str:
        """The next name: a short text that can be shown to a person."""
        name = self.text(f"the name of {what}", MOST_NAME)
        if not name or not name.isascii() or not name.isprintable():
            raise self.wrong(f"printable ASCII as the name of {what}", ascii(name)[:60])
        return name

    def short(self, size: int, what: str) -> ArtifactError:
        """The error for what would lie beyond the end."""
        end = "bytes that a header may have" if self.end < len(self.data) else "where the file ends"
        return self.wrong(
            f"{size:,} bytes for {what} from byte {self.at}", f"{self.end - self.at:,} until {self.end}, {end}"
        )

    def wrong(self, needed: str, got: str) -> ArtifactError:
        """The error for what cannot be in a whole file."""
        return ArtifactError(f"{needed} of {self.path}", f"{got}: the file is cut off or damaged", self.remedy)


def _opened(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            if path.stat().st_size < 24:
                raise ArtifactError(f"a GGUF file at {path}", f"{path.stat().st_size} bytes", _Cursor.remedy)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise ArtifactError(
            f"a GGUF file at {path}", error.strerror or str(error), "Give a file that can be read."
        ) from error


def _check_start(cursor: _Cursor) -> None:
    magic = cursor.take(4, "the start")
    if magic != b"GGUF":
        raise ArtifactError(f"a GGUF file at {cursor.path}", f"one that begins with {magic!r}", "Give a .gguf file.")
    version: int = cursor.number("<I", "the version")
    if version & 0xFFFF == 0:
        raise ArtifactError(f"a little-endian GGUF at {cursor.path}", "one whose version reads as big-endian",
                            "Convert it: gguf-convert-endian FILE little.")  # fmt: skip
    if version not in VERSIONS:
        raise ArtifactError(f"version 2 or 3 of GGUF in {cursor.path}", str(version),
                            "Make the file anew with llama.cpp's converter.")  # fmt: skip


def _metadata(cursor: _Cursor, count: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for i in range(count):
        key = cursor.name(f"value {i + 1} of {count}")
        if key in metadata:
            raise cursor.wrong("each value once", f"{key} twice")
        metadata[key] = _value(cursor, cursor.number("<I", f"the type of {key}"), key)
    return metadata


def _value(cursor: _Cursor, kind: int, what: str) -> Any:
    if kind != ARRAY:
        return _reader(cursor, kind, what)()
    kind = cursor.number("<I", f"the type of {what}")
    read = _reader(cursor, kind, what)
    smallest = {TEXT: 8, BOOL: 1}.get(kind) or struct.calcsize(NUMBERS[kind])
    count = cursor.count(f"entries of {what}", MOST_ENTRIES - cursor.entries, smallest)
    cursor.entries += count
    if kind in NUMBERS:
        return struct.unpack(f"<{count}{NUMBERS[kind][1]}", cursor.take(count * smallest, what))
    return tuple(read() for _ in range(count))


def _reader(cursor: _Cursor, kind: int, what: str) -> Callable[[], Any]:
    if kind in NUMBERS:
        return lambda: cursor.number(NUMBERS[kind], what)
    if kind == TEXT:
        return lambda: cursor.text(what)
    if kind == BOOL:
        return lambda: _truth(cursor, what)
    raise cursor.wrong(f"a number, a truth value, a text or an array of one of them as {what}", f"type {kind}")


def _truth(cursor: _Cursor, what: str) -> bool:
    byte: int = cursor.number("<B", what)
    if byte > 1:
        raise cursor.wrong(f"0 or 1 as {what}", str(byte))
    return byte == 1


class _Row(NamedTuple):
    """One row of the table of tensors: `shape` in torch's order, `place` in bytes after the header."""

    name: str
    shape: tuple[int, ...]
    kind: int
    place: int


def _row(cursor: _Cursor, i: int, count: int) -> _Row:
    name = cursor.name(f"tensor {i + 1} of {count}")
    dimensions: int = cursor.number("<I", f"the number of dimensions of {name}")
    if not 1 <= dimensions <= 4:
        raise cursor.wrong(f"1 to 4 dimensions of {name}", f"{dimensions:,}")
    shape: tuple[int, ...] = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions, f"the shape of {name}"))
    if 0 in shape:
        raise cursor.wrong(f"sizes of {name} above zero", str(shape))
    kind: int = cursor.number("<I", f"the type of {name}")
    return _Row(name, shape[::-1], kind, cursor.number("<Q", f"the place of {name}"))


def _placed(table: list[_Row], start: int, alignment: int, blocks: Blocks, cursor: _Cursor) -> dict[str, GGUFTensor]:
    """The tensors by name, once each is known to lie in the file and on no other."""
    stored: dict[str, GGUFTensor] = {}
    for row in table:
        if row.name in stored:
            raise cursor.wrong("each tensor once", f"{row.name} twice")
        if row.place % alignment:
            raise cursor.wrong(f"a multiple of {alignment} as the place of {row.name}", f"{row.place:,}")
        size = _size(row, blocks, cursor)
        stored[row.name] = GGUFTensor(shape=row.shape, kind=row.kind, start=start + row.place, size=size)
    at, before = start, "the header"
    for name, one in sorted(stored.items(), key=lambda item: item[1].start):
        if one.start < at:
            raise cursor.wrong(f"{name} after {before}, which ends at byte {at}", f"byte {one.start}")
        at, before = one.start + one.size, name
        if at > len(cursor.data):
            raise cursor.wrong(f"{one.size:,} bytes for {name} {one.shape} from byte {one.start}",
                               f"a file of {len(cursor.data):,}")  # fmt: skip
    return stored


def _size(row: _Row, blocks: Blocks, cursor: _Cursor) -> int:
    """Bytes of a tensor."""
    if row.kind not in blocks:
        raise ArtifactError(f"a type of ggml for {row.name} in {cursor.path}", f"number {row.kind}",
                            "A newer package may know it: pip install --upgrade gguf")  # fmt: skip
    word, numbers, size = blocks[row.kind]
    if row.shape[-1] % numbers:
        raise cursor.wrong(f"rows of {row.name} in whole blocks of {numbers} ({word})", f"rows of {row.shape[-1]}")
    return prod(row.shape) // numbers * size
