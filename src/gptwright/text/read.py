"""Files to documents: plain text, Markdown, web pages and archives of them, books, JSON Lines and parquet, each
compressed or not."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from gptwright.foundations.atomic_io import sha256
from gptwright.foundations.errors import InputError
from gptwright.text.binary import is_utf8
from gptwright.text.bundled import bundled_name
from gptwright.text.code import read_code
from gptwright.text.compression import COMPRESSED, open_compressed, read_all, read_short_lines
from gptwright.text.documents import UTF8, Document
from gptwright.text.encoding import decode
from gptwright.text.epub import read_epub
from gptwright.text.frontmatter import without_front_matter
from gptwright.text.jsonl import Line, read_object
from gptwright.text.pages import read_document
from gptwright.text.parquet import read_parquet
from gptwright.text.read_options import ReadOptions
from gptwright.text.warc import read_warc

LONGEST_LINE = 2**28
"""bytes of a line of a .jsonl file; a longer one is dropped"""
TOO_LONG = "over 256 MiB in one line"
Skip = Callable[[str, str], None]
"""Called with the source and the reason for every record that is no document."""


def read_file(
    path: Path, skip: Skip = lambda source, reason: None, options: ReadOptions | None = None
) -> Generator[Document]:
    """The documents of one file, read as its suffix says.

    Raises `InputError` naming the file (and line) that cannot be read.
    """
    with open_compressed(path) as file:
        options = options or ReadOptions()
        if (suffix := suffix_of(path)) or not options.trees:
            yield from _READERS[suffix](file, path, skip, options)
        else:
            yield from _read_code(file, path, skip, options)


def suffix_of(path: Path) -> str:
    """The suffix that says how a file is read, without compression: ".txt" for BOOK.TXT.gz; "" when unknown."""
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    suffix = name.suffix.lower()
    return suffix if suffix in _READERS else ""


def fingerprint(path: Path) -> tuple[int, str] | None:
    """A file's bytes and their SHA-256; None for one that cannot be read, or is no longer there."""
    try:
        return path.stat().st_size, sha256(path)
    except OSError:
        return None


def label(path: Path) -> str:
    """How a file is named in records: `bundled:novels`, or the path as it was given."""
    name = bundled_name(path)
    return f"bundled:{name}" if name else _readable(path.as_posix())


def source_name(path: Path) -> str:
    """What the documents of a file name as their source."""
    return bundled_name(path) or _readable(path.name)


def _readable(name: str) -> str:
    """Some systems allow file names that are not text."""
    return name.encode("utf-8", "replace").decode()


def _stem(path: Path) -> str:
    return _readable(path.with_suffix("").stem if path.suffix.lower() in COMPRESSED else path.stem)


def _read_text(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    text, encoding = decode(read_all(file, path), path, options.encoding)
    yield Document(text, source_name(path), _stem(path), file=label(path), encoding=encoding)


def _read_markdown(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    for page in _read_text(file, path, skip, options):
        text = without_front_matter(page.text)
        yield replace(page, text=text, cut={"front matter": len(page.text) - len(text)})


def _read_html(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    page = read_document(read_all(file, path), path, options, xml=suffix_of(path) == ".xhtml")
    yield replace(page, source=source_name(path), title=page.title or _stem(path), file=label(path))


def _read_epub(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    book = read_epub(file, path, replace(options, html=options.html[:1]))
    yield replace(book, source=source_name(path), title=book.title or _stem(path), file=label(path))


def _read_lines(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    number = 0

    def skip_long() -> None:
        nonlocal number
        number += 1
        skip(source_name(path), TOO_LONG)

    for line in read_short_lines(file, LONGEST_LINE, skip_long):
        number += 1
        if not line.strip():
            continue
        given = options.encoding
        row = read_object(line, number, path, given=given)
        if row.get("text") is None and "messages" in row:
            skip(source_name(path), "conversation")
        elif "text" in row and isinstance(row["text"], str | None):
            document = _document(row, path)
            yield replace(document, encoding=given.name) if given and not is_utf8(line) else document
        else:
            got = "a value of another type" if "text" in row else f"the fields {', '.join(row) or '(none)'}"
            raise InputError(f'a string in the field "text" in {row.where}', got, "Mend the line.")


def _document(row: Line, path: Path) -> Document:
    """What the fields of a row say; null is as good as empty."""
    return Document(row["text"] or "", source_name(path), str(row.get("title") or ""), row.split, label(path))


def _read_code(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    root = next(root for root in options.trees if root in path.parents)
    found = read_code(read_all(file, path), path, root, options)
    if isinstance(found, str):
        skip(_readable(root.resolve().name), found)
    else:
        yield replace(found, source=_readable(found.source), title=_readable(found.title), file=label(path))


def _read_parquet(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    for row in read_parquet(file, path, needed="text", columns=("text", "split", "title")):
        if not isinstance(row["text"], str | None):
            got = f"a {type(row['text']).__name__}"
            raise InputError(f'strings in the column "text" of {path}', got, "Convert the column.")
        yield _document(row, path)


def _read_warc(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    for found in read_warc(file, path, options):
        if isinstance(found, str):
            skip(source_name(path), found)
        else:
            yield replace(found, source=source_name(path), file=label(path), encoding=UTF8)


_READERS: dict[str, Callable[[IO[bytes], Path, Skip, ReadOptions], Iterator[Document]]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".xhtml": _read_html,
    ".epub": _read_epub,
    ".jsonl": _read_lines,
    ".parquet": _read_parquet,
    ".warc": _read_warc,
    ".wet": _read_warc,
}
SUFFIXES = f"{' '.join(_READERS)}, each also with {' '.join(COMPRESSED)}"
