"""Records to documents, of JSON Lines, JSON and parquet: one rule for what the text of a record is.

It is a string, or a list of strings, each of them a line; null is as good as empty.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any, cast

from gptwright.foundations.errors import InputError
from gptwright.text import long_lines
from gptwright.text.binary import is_utf8
from gptwright.text.compression import Lines, lines_before
from gptwright.text.documents import Document, Skip
from gptwright.text.encoding import decode
from gptwright.text.file_labels import label, source_name
from gptwright.text.jsonl import Line, decode_any, json_fault, read_object
from gptwright.text.long_lines import TOO_LONG, read_short_lines
from gptwright.text.parquet import read_parquet
from gptwright.text.read_options import ReadOptions

UNREADABLE_RECORD = "a record that cannot be read"


def read_lines_of_records(
    file: Lines, path: Path, skip: Skip, options: ReadOptions, begin: int = 0
) -> Iterator[Document]:
    """The documents of lines, the first of which stands `begin` bytes behind the file's beginning.

    Raises `InputError` naming the line that is no record with text, unless those are to be passed over.
    """
    documents = _Documents(path, skip, options, begin)
    number = min(begin, 1)  # of the lines before: how many they are is counted when one is to be named

    def skip_long() -> None:
        nonlocal number
        number += 1
        skip(documents.source, TOO_LONG)

    for line in read_short_lines(file, skip_long):
        number += 1
        if line.strip() and (found := documents.made(partial(documents.of_line, line, number))):
            yield found


def read_json_records(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    """The documents of an array of records, or of one alone.

    Raises `InputError` naming the record that has no text, unless those are to be passed over, and for a file that is
    no JSON or too large.
    """
    data = file.read((most := long_lines.LONGEST_LINE) + 1)
    if len(data) > most:
        raise InputError(f"at most {most / 2**20:.3g} MiB in {path}", "more", "Write its records as .jsonl.")
    text, encoding = decode(data, path, options.encoding)
    try:
        rows: Any = decode_any(text)
    except (ValueError, RecursionError) as error:
        got = f"something else ({json_fault(error)})"
        raise InputError(f"JSON in {path}", got, "Mend it, or leave it out.") from error
    documents = _Documents(path, skip, options)
    for number, row in enumerate(cast("list[Any]", rows) if isinstance(rows, list) else [rows], 1):
        if found := documents.made(partial(documents.of_item, row, f"record {number} of {path}")):
            yield replace(found, encoding=encoding)


def read_parquet_records(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    """The documents of a parquet file. Raises `InputError` as `read_parquet` does, and, unless those are to be passed
    over, naming the row without text."""
    documents = _Documents(path, skip, options)
    for row in read_parquet(file, path, needed=options.text_fields, columns=(*options.text_fields, "split", "title")):
        if found := documents.made(partial(documents.of, row)):
            yield found


class _Documents:
    """Makes documents of a file's records, of which the first stands `begin` bytes behind the file's beginning."""

    def __init__(self, path: Path, skip: Skip, options: ReadOptions, begin: int = 0) -> None:
        self._path, self._skip, self._options, self._begin = path, skip, options, begin
        self.source, self._file = source_name(path), label(path)

    def made(self, make: Callable[[], Document | str]) -> Document | None:
        """The document of a record; None where it is none, which is told. Raises what `make` raises, unless that is to
        be passed over."""
        try:
            found = make()
        except InputError as error:
            if not self._options.skip_unreadable:
                raise
            self._skip(self.source, UNREADABLE_RECORD, f"needed {error.needed}; got {error.got}")
            return None
        if isinstance(found, str):
            self._skip(self.source, found)
            return None
        return found

    def of_line(self, line: bytes, number: int) -> Document | str:
        """The document of a line, or why it is none. Raises `InputError` naming the line."""
        try:
            return self._of_line(line, number)
        except InputError:
            if not self._begin:
                raise
            return self._of_line(line, number + self._lines_before)

    @cached_property
    def _lines_before(self) -> int:
        """How many lines stand before, besides the one that is counted for all."""
        return lines_before(self._path, self._begin) - 1

    def _of_line(self, line: bytes, number: int) -> Document | str:
        given = self._options.encoding
        found = self.of(read_object(line, number, self._path, given=given))
        if isinstance(found, Document) and given and not is_utf8(line):
            return replace(found, encoding=given.name)
        return found

    def of_item(self, row: object, where: str) -> Document | str:
        """The document of an item of an array, or why it is none. Raises `InputError` for one that is no object."""
        if not isinstance(row, dict):
            raise InputError(f"an object in {where}", f"a {type(row).__name__}", "Mend it, or leave the file out.")
        return self.of(Line(cast("dict[str, Any]", row), where))

    def of(self, row: Line) -> Document | str:
        """What the fields of a record say, or why it is no document. Raises `InputError` for one without text."""
        fields = self._options.text_fields
        field = next((name for name in fields if row.get(name) is not None), None)
        if field is None and "messages" in row:
            return "conversation"
        text = _text(row.get(field) if field else None)
        if text is None or not any(name in row for name in fields):
            got = f"a {type(row[field]).__name__} that is none" if field else f"the fields {', '.join(row) or '(none)'}"
            names = " or ".join(f'"{name}"' for name in fields)
            raise InputError(f"a string, or a list of them, in the field {names} in {row.where}", got,
                             "Mend it, or name the field that has the text with --text-field.")  # fmt: skip
        return Document(text, self.source, str(row.get("title") or ""), row.split, self._file)


def _text(value: object) -> str | None:
    """A record's text; None for what is none."""
    if isinstance(value, list) and all(isinstance(line, str) for line in cast("list[object]", value)):
        return "\n".join(cast("list[str]", value))
    return value if isinstance(value, str) else "" if value is None else None
