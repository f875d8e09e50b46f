"""JSON Lines: one object a line, compressed or not."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.durable import write_text
from gptwright.foundations.errors import InputError
from gptwright.text.compression import lines, opened
from gptwright.text.split import Split
from gptwright.text.split_words import read_split


class Line(dict[str, Any]):
    """An object of a file; `where` says on which line of which file it stands."""

    def __init__(self, fields: dict[str, Any], where: str) -> None:
        super().__init__(fields)
        self.where = where

    @property
    def split(self) -> Split | None:
        """The side that the line names. Raises `InputError` for an unknown word."""
        return read_split(self.get("split"), self.where)


def read_objects(path: Path) -> list[Line]:
    """Every object of the file. Raises `InputError` naming the line that is no object, or when there is none."""
    if not path.is_file():
        raise InputError(f"a JSON Lines file at {path}", "nothing there", "Correct the path.")
    with opened(path) as file:
        found = [_object(line, number, path) for number, line in enumerate(lines(file, path), 1) if line.strip()]
    if not found:
        raise InputError(f"JSON lines in {path}", "an empty file", "Give another file.")
    return found


def write_objects(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Writes the file whole or not at all."""
    write_text(path, "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects))


def _no_number(name: str) -> float:
    """NaN and Infinity, which Python would read and JSON does not know."""
    raise ValueError(f"{name} is no number")


def _object(line: bytes, number: int, path: Path) -> Line:
    try:
        item = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InputError(f"JSON on line {number} of {path}", str(error), "Correct that line.") from error
    if not isinstance(item, dict):
        raise InputError(f"an object on line {number} of {path}", repr(item)[:40], "Correct that line.")
    return Line(cast("dict[str, Any]", item), f"line {number} of {path}")
