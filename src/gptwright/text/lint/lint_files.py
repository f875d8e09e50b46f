"""Reading files for faults: each line or document, with its place, those that cannot be read too."""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.errors import InputError
from gptwright.text.compression import COMPRESSED, open_compressed, read_lines
from gptwright.text.encoding import decode
from gptwright.text.jsonl import read_object
from gptwright.text.lint.across_lines import AcrossLines, Unanswered
from gptwright.text.lint.rows import EMPTY, Conversations, continued, row_faults, whole_conversations
from gptwright.text.lint.text_faults import LONG, text_faults
from gptwright.text.lint.turns import is_blank, texts_of
from gptwright.text.long_lines import TOO_LONG, read_lined
from gptwright.text.read import read_file, suffix_of
from gptwright.text.tables import read_table

UNREADABLE = "cannot be read"
IDENTITY = {
    "id",
    "uuid",
    "_id",
    "conversation_id",
    "message_id",
    "prompt_id",
    "row_id",
    "index",
    "created",
    "timestamp",
    "split",
}
TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class LintFinding:
    """What is wrong, where ("notes.jsonl:12"), and what shows it."""

    kind: str
    place: str
    shown: str

    def __str__(self) -> str:
        shown = " ".join(self.shown.split())
        return f"{self.place}: {self.kind}: {shown[:100]}"


class Linter:
    """Looks through one file after the other; what was seen in one is a duplicate in the next. `documents` counts."""

    def __init__(self, most_characters: int) -> None:
        self._most = most_characters
        self._across = AcrossLines()
        self.documents = 0

    def findings(self, path: Path) -> Iterator[LintFinding]:
        """Every fault of a file, in order. What cannot be read is a fault; a file of another kind raises
        `InputError`."""
        suffix = _suffix(path)
        if not path.is_file() or not suffix:
            raise InputError(f"a file of text or lines at {path}", "another kind" if path.exists() else "nothing there",
                             "Convert it, or correct the path.")  # fmt: skip
        look = self._lines if suffix == ".jsonl" else self._rows if suffix in TABLES else None
        try:
            yield from self._texts(path) if look is None else self._all_rows(look(path))
        except InputError as error:
            yield LintFinding(UNREADABLE, str(path), f"needed {error.needed}; got {error.got}")

    def _all_rows(self, rows: Iterator[tuple[dict[str, Any], str] | LintFinding]) -> Iterator[LintFinding]:
        unanswered = Unanswered()
        for each in rows:
            if isinstance(each, LintFinding):
                yield each
            else:
                row, place = each
                whole = whole_conversations(row)
                yield from self._row(row, whole, place)
                unanswered.note(row, whole, place)
        yield from (LintFinding(*each) for each in unanswered.findings())

    def _lines(self, path: Path) -> Iterator[tuple[dict[str, Any], str] | LintFinding]:
        """Each line with its place, or why it cannot be read."""
        with open_compressed(path) as file:
            for number, line in enumerate(read_lines(file, path), 1):
                place = f"{path}:{number}"
                try:
                    if line.strip():
                        yield read_object(line, number, path), place
                except InputError as error:
                    yield LintFinding(UNREADABLE, place, error.got)

    def _rows(self, path: Path) -> Iterator[tuple[dict[str, Any], str]]:
        for row in read_table(path):
            number = row.where.split(" ", 2)[1]
            yield row, f"{path}:{number}"

    def _row(self, row: dict[str, Any], whole: Conversations, place: str) -> Iterator[LintFinding]:
        content = json.dumps(_unnamed(row), sort_keys=True, default=str)
        again = self._document(content, place, row.get("split"))
        yield from again
        if not again and (exchange := self._across.exchange(whole, place)):
            yield LintFinding(exchange[0], place, exchange[1])
        yield from (LintFinding(kind, place, shown) for kind, shown in row_faults(row, whole))
        for text in texts_of(row):
            yield from (LintFinding(fault.kind, place, fault.shown) for fault in text_faults(text, self._most))
        if len(content) > self._most:
            yield from self._long_conversations(row, whole, place)

    def _long_conversations(self, row: dict[str, Any], whole: Conversations, place: str) -> Iterator[LintFinding]:
        """Those that are too long together, though none of their messages is alone."""
        for turns in (*whole.values(), *([*before, *turns] for before, turns in continued(row, whole))):
            lengths = [len(turn.text) for turn in turns]
            if lengths and sum(lengths) > self._most >= max(lengths):
                yield LintFinding(LONG, place, f"{sum(lengths):,} characters in {len(lengths)} messages")

    def _texts(self, path: Path) -> Iterator[LintFinding]:
        """A plain text by its own lines, other documents by their number."""
        if _suffix(path) in (".txt", ".md"):
            with open_compressed(path) as file:
                text, _ = decode(read_lined(file, path), path, None)
            ends = [match.start() for match in re.finditer("\n", text)]
            yield from self._text(text, str(path), lambda place: f"{path}:{bisect_left(ends, place) + 1}")
            return
        skipped: list[str] = []
        for number, document in enumerate(read_file(path, lambda source, reason, error="": skipped.append(reason)), 1):
            where = f"{path}#{number}"
            yield from self._text(document.text, where)
        yield from (LintFinding(UNREADABLE, str(path), reason) for reason in skipped if reason == TOO_LONG)

    def _text(self, text: str, where: str, place_of: Callable[[int], str] | None = None) -> Iterator[LintFinding]:
        if is_blank(text):
            yield LintFinding(EMPTY, where, "nothing but blanks")
        yield from self._document(text, where)
        for fault in text_faults(text, self._most):
            yield LintFinding(fault.kind, place_of(fault.place) if place_of else where, fault.shown)

    def _document(self, content: str, place: str, split: object = None) -> list[LintFinding]:
        self.documents += 1
        again = self._across.again(content, place, split)
        return [LintFinding(again[0], place, again[1])] if again else []


def _unnamed(value: object) -> object:
    """A line without what tells it from others though it says the same."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {name: _unnamed(inner) for name, inner in fields.items() if name not in IDENTITY}
    return [_unnamed(inner) for inner in cast("list[object]", value)] if isinstance(value, list) else value


def _suffix(path: Path) -> str:
    """How a file is read: tables too, which are no corpus; "" for another kind."""
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return name.suffix.lower() if name.suffix.lower() in TABLES else suffix_of(path)
