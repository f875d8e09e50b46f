"""JSON Lines: one object a line, compressed or not."""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.errors import InputError, found_at
from gptwright.text.compression import LinesUntil, lines_before, open_compressed, read_lines
from gptwright.text.encoding_labels import Encoding, decode_as
from gptwright.text.split import Split
from gptwright.text.split_words import read_split

# Both halves of a pair, an escaped backslash, or one half: only the last is mended.
_HALVES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\\\|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Line(dict[str, Any]):
    """An object of a file; `where` says on which line of which file it stands."""

    def __init__(self, fields: Mapping[str, object], where: str) -> None:
        super().__init__(fields)
        self.where = where

    @property
    def split(self) -> Split | None:
        """The split that the line names. Raises `InputError` for an unknown word."""
        return read_split(self.get("split"), self.where)


def read_objects(path: Path) -> list[Line]:
    """Every object of the file. Raises `InputError` naming the line that is no object, or when there is none."""
    if not (found := list(stream_objects(path))):
        raise InputError(f"JSON lines in {path}", "an empty file", "Give another file.")
    return found


def stream_objects(path: Path) -> Iterator[Line]:
    """The objects of the file, one in memory at a time. Raises `InputError` naming the line that is none."""
    if not path.is_file():
        raise InputError(f"a JSON Lines file at {path}", found_at(path), "Correct the path.")
    with open_compressed(path) as file:
        for number, line in enumerate(read_lines(file, path), 1):
            if line.strip():
                yield read_object(line, number, path, decode=decode_finite)


def stream_range(path: Path, begin: int, end: int) -> Iterator[dict[str, Any]]:
    """The objects from one offset of an uncompressed file to another, at both of which a line begins.

    Raises `InputError` naming the line that is none.
    """
    with open_compressed(path) as file:
        file.seek(begin)
        for number, line in enumerate(read_lines(LinesUntil(file, end - begin), path), 2 if begin else 1):
            if line.strip():
                try:
                    yield {**read_object(line, number, path, decode=decode_finite)}
                except InputError:  # how many lines stand before is counted when one is to be named
                    read_object(line, number + max(lines_before(path, begin) - 1, 0), path, decode=decode_finite)


def write_objects(path: Path, objects: Iterable[Mapping[str, object]]) -> None:
    """Writes the file whole or not at all."""
    write_text(path, "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects))


def read_object(
    line: bytes,
    number: int,
    path: Path,
    *,
    given: Encoding | None = None,
    decode: Callable[[str], Any] | None = None,
) -> Line:
    """The object on a line, by `decode_any` unless told otherwise; `given` is the encoding of lines that are not UTF-8.

    Raises `InputError` naming the line.
    """
    where = f"line {number} of {path}"
    text = _decoded(line, where, number == 1, given)
    try:
        item = (decode or decode_any)(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"a JSON object in {where}", f"something else ({json_fault(error)})",
                         "Mend or delete the line.") from error  # fmt: skip
    if not isinstance(item, dict):
        got = f"a {type(item).__name__}, {text.strip()[:40]}"
        raise InputError(f"a JSON object in {where}", got, "Mend or delete the line.")
    return Line(cast("dict[str, Any]", item), where)


def decode_any(text: str) -> Any:
    """A value of JSON whose numbers may be any: NaN and Infinity, which JSON does not know, and those with more digits
    than Python reads, which become infinite. Half a surrogate pair becomes U+FFFD.

    Raises `ValueError` or `RecursionError`, which `json_fault` tells.
    """
    text = _HALVES.sub(_mended, text)
    try:
        return _ANY.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _LONG_NUMBERS.decode(text)


def decode_finite(text: str) -> Any:
    """The same of numbers that mean something: one that is none, or without measure, is refused."""
    return _FINITE.decode(_HALVES.sub(_mended, text))


def json_fault(error: ValueError | RecursionError) -> str:
    """What is wrong with JSON, in few words."""
    if isinstance(error, RecursionError):
        return "values that nest too deep"
    return "a number with thousands of digits" if "integer string conversion" in str(error) else str(error)


def _decoded(line: bytes, where: str, first: bool, given: Encoding | None) -> str:
    try:
        return line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        if first and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and line.count(0) > len(line) / 4:
            got, remedy = "the byte order mark of UTF-16", "Save the file as UTF-8."
        else:
            got = f"a byte that is not ({line[error.start]:#04x}) at offset {error.start} of the line"
            remedy = "Mend the line, or save the file as UTF-8."
        if given is None:
            raise InputError(f"UTF-8 in {where}", got, remedy) from error
    try:
        return decode_as(line, given)
    except UnicodeDecodeError as error:
        got = f"a byte that is not ({line[error.start]:#04x}) at offset {error.start} of the line"
        raise InputError(f"UTF-8 or {given.name} in {where}", got, "Mend the line.") from error


def _mended(match: re.Match[str]) -> str:
    return match[0] if len(match[0]) in (2, 12) else "\ufffd"


def _no_number(name: str) -> float:
    """NaN and Infinity, which Python would read and JSON does not know."""
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    if not isfinite(number := float(digits)):
        raise ValueError(f"{digits[:40]} is beyond all numbers")
    return number


_ANY, _LONG_NUMBERS = json.JSONDecoder(), json.JSONDecoder(parse_int=float)  # json.loads would make one for every line
_FINITE = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)
