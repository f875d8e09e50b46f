"""Rows of named fields, from JSON Lines, CSV, TSV or parquet, each compressed or not."""

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import cast

from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.text.compression import COMPRESSED, MAX_BYTES, open_compressed
from gptwright.text.jsonl import Line, read_objects
from gptwright.text.parquet import read_parquet

TABLES = (".jsonl", ".csv", ".tsv", ".parquet")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""of CSV, the likeliest first"""


def read_table(path: Path) -> Iterator[Line]:
    """The rows of a file, read as its suffix says; each knows its place. What CSV and TSV hold are strings, in UTF-8,
    or in UTF-16 that is marked so; CSV that is separated by something else than commas is read so, which is said.

    Raises `InputError` when the file cannot be read, is of another kind or holds no row, and naming a row that has
    not as many fields as the first line has names; `ConfigError` when parquet needs pyarrow.
    """
    match table_suffix(path):
        case ".jsonl":
            yield from read_objects(path)
        case ".parquet":
            with open_compressed(path) as file:
                yield from _some(read_parquet(file, path), path)
        case suffix:
            yield from _some(_separated(path, suffix), path)


def table_suffix(path: Path) -> str:
    """The suffix without compression: ".csv" for PAIRS.CSV.xz. Raises `InputError` when it is none of `TABLES`."""
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    suffix = name.suffix.lower()
    if suffix not in TABLES:
        raise InputError(f"a table: {' '.join(TABLES)}, each also with {' '.join(COMPRESSED)}", str(path),
                         "Convert the file or correct its name.")  # fmt: skip
    return suffix


def _some(rows: Iterator[Line], path: Path) -> Iterator[Line]:
    first = next(rows, None)
    if first is None:
        raise InputError(f"rows in {path}", "none", "Give another file.")
    yield first
    yield from rows


def _separated(path: Path, suffix: str) -> Iterator[Line]:
    """In TSV a quote is a quote, as in GLUE's files; in CSV it may hold commas and line ends."""
    csv.field_size_limit(MAX_BYTES)
    with open_compressed(path) as file:
        encoding = "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    with open_compressed(path) as file:
        text = io.TextIOWrapper(file, encoding, newline="")
        begins = 1
        try:
            first = text.readline()
            lines = chain([first], text)
            rows = (
                csv.reader(lines, delimiter=_separator(first, path), strict=True)
                if suffix == ".csv"
                else csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            )
            names = _names(next(rows, []), path)
            begins = rows.line_num + 1
            for row in rows:
                if row:
                    yield _line(names, row, f"line {begins} of {path}")
                begins = rows.line_num + 1
        except (csv.Error, UnicodeDecodeError) as error:
            what = "UTF-8" if isinstance(error, UnicodeDecodeError) else f"{suffix[1:].upper()}"
            raise InputError(f"{what} in {path}", f"something else from line {begins} on ({error})",
                             "Mend the line, or save the file as UTF-8.") from error  # fmt: skip


def _separator(first: str, path: Path) -> str:
    """What parts the first line into most names, a comma where others do no better."""
    found = max(SEPARATORS, key=lambda each: len(next(csv.reader([first], delimiter=each), [])))
    if found != ",":
        say(f"{path}: fields are separated by {SEPARATORS[found]}, as in its first line")
    return found


def _names(row: list[str], path: Path) -> list[str]:
    if not row or not all(row) or len(set(row)) < len(row):
        got = ", ".join(map(repr, row)) or "none"
        raise InputError(f"the fields' names, each once, in the first line of {path}", got, "Write them there.")
    return row


def _line(names: list[str], row: list[str], where: str) -> Line:
    if len(row) != len(names):
        raise InputError(f"{len(names)} fields, {', '.join(names)}, in {where}", f"{len(row)}", "Mend the line.")
    return Line(cast("dict[str, object]", dict(zip(names, row, strict=True))), where)
