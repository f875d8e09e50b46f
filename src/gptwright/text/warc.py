"""Web archives: pages out of WARC, texts out of WET. What is no page, or damaged, is told by its reason.

A record is at most `MOST` bytes, so that neither a small archive that unpacks to a huge page nor one endless record
takes the memory. An archive that breaks off or is damaged gives what stands before that; so does a page whose end was
never fetched, and it is told that there is more.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text.documents import Document
from gptwright.text.encoding import decode
from gptwright.text.encoding_labels import Encoding, lookup_encoding
from gptwright.text.pages import read_document
from gptwright.text.read_options import ReadOptions
from gptwright.text.warc_bodies import PACKING, unpacked
from gptwright.text.warc_end import ends_in_a_head

MOST = 16 * 2**20
PAGES = ("text/html", "application/xhtml+xml")
OTHER_KIND, NO_ANSWER, TOO_LARGE = "no page", "no answer of a server with a page", "over 16 MiB"
NOT_LINKED = "linked to by none of the links"
NOT_UNPACKED = "packed so that it cannot be unpacked"
REST = "the end of a page, which was never fetched"
BROKEN_OFF, DAMAGED, NO_TEXT = "broken off", "damaged, and what follows in its archive", "not text"


def read_warc(file: IO[bytes], path: Path, options: ReadOptions) -> Iterator[Document | str]:
    """The documents of an archive, and a reason for each record of a page or text that gives none, or gives a part of
    it. Their title is the page's, or its address.

    `file` is the archive unpacked. Raises `ConfigError` without fastwarc, or the program that is to read its pages.
    """
    kind = path.suffix.lower()
    if kind == ".xz":
        yield from _documents(_records(file, path), path, options)
        return
    with path.open("rb") as packed:  # its own unpacking gives what stands before a fault
        records = _Positions(_records(packed, path))
        found = None
        for found in _documents(records, path, options):
            yield found
        told = found in (BROKEN_OFF, DAMAGED)
        if not told and kind != ".zst" and ends_in_a_head(packed, records.last, packed=kind == ".gz"):
            yield BROKEN_OFF


class _Positions:
    """Records, and where the last of them begins in the archive; -1 before any."""

    def __init__(self, records: Iterator[Any]) -> None:
        self._records, self.last = records, -1

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        record = next(self._records)
        self.last = record.stream_pos
        return record


def _documents(records: Iterator[Any], path: Path, options: ReadOptions) -> Iterator[Document | str]:
    while True:
        try:
            record = next(records, None)
            if record is None:
                return
            found = list(_read(record, path, options))
        except (OSError, EOFError):
            found = [DAMAGED]
        yield from found
        if found == [DAMAGED]:
            return


def _records(file: IO[bytes], path: Path) -> Iterator[Any]:
    try:
        library: Any = import_module("fastwarc.warc")
    except ImportError as error:
        raise ConfigError(f"fastwarc to read {path}", f"none that works here ({error})",
                          "pip install 'gptwright[corpus]'") from error  # fmt: skip
    kinds = library.WarcRecordType.response | library.WarcRecordType.conversion
    return iter(library.ArchiveIterator(file, record_types=kinds, parse_http=True, auto_decode="none"))


def _read(record: Any, path: Path, options: ReadOptions) -> Iterator[Document | str]:
    """A record's document, or why there is none, or no whole one."""
    address: str = record.headers.get("WARC-Target-URI") or ""
    is_answer: bool = record.http_headers is not None
    kind: str = (record.http_content_type if is_answer else record.headers.get("Content-Type")) or ""
    if reason := _refusal(record, kind, address, options):
        yield reason
        return
    data, is_whole = _body(record)
    if isinstance(data, str):
        yield data
        return
    said = lookup_encoding(record.http_charset) if is_answer and record.http_charset else None
    try:
        yield _document(data, kind, address, path, said, options)
    except InputError:
        yield NO_TEXT
        return
    if not is_whole:
        yield REST


def _body(record: Any) -> tuple[bytes | str, bool]:
    """What a record holds, unpacked, and whether that is all that was sent; or why it cannot be had."""
    wanted: int = record.content_length
    data: bytes = record.reader.read(MOST + 1)
    if len(data) > MOST:
        return TOO_LARGE, False
    if len(data) < wanted:
        return BROKEN_OFF, False
    heads: Any = record.http_headers or {}
    packing = {name: value for name in PACKING if (value := heads.get(name))}
    is_whole = not record.headers.get("WARC-Truncated")
    try:
        data, has_end = unpacked(data, packing, MOST + 1) if packing else (data, True)
    except (OSError, EOFError, StopIteration, zlib.error):
        return NOT_UNPACKED, False
    return (TOO_LARGE, False) if len(data) > MOST else (data, is_whole and has_end)


def _refusal(record: Any, kind: str, address: str, options: ReadOptions) -> str | None:
    """What a record's heads have against it."""
    if record.http_headers is not None and record.http_headers.status_code != 200:
        return NO_ANSWER
    if kind.partition(";")[0].strip().lower() not in (*PAGES, "text/plain"):
        return OTHER_KIND
    return NOT_LINKED if options.links is not None and address not in options.links else None


def _document(
    data: bytes, kind: str, address: str, path: Path, said: Encoding | None, options: ReadOptions
) -> Document:
    if kind.startswith("text/plain"):
        text, name = decode(data, path, said or options.encoding)
        return Document(text, "", address, encoding=name)
    page = read_document(data, path, options, said, xml=kind.startswith(PAGES[1]))
    return replace(page, title=page.title or address)
