"""Files to documents: plain text, Markdown, web pages and archives of them, books, JSON Lines, JSON and parquet, each
compressed or not."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from gptwright.foundations.atomic_io import sha256
from gptwright.text.code import read_code
from gptwright.text.compression import COMPRESSED, LinesUntil, open_compressed
from gptwright.text.documents import UTF8, Document, Skip
from gptwright.text.encoding import decode
from gptwright.text.epub import read_epub
from gptwright.text.file_labels import label, readable, source_name, stem
from gptwright.text.frontmatter import without_front_matter
from gptwright.text.licences import UNKNOWN, is_permissive, nearest_licence
from gptwright.text.long_lines import TOO_LONG, LongLine, read_lined
from gptwright.text.packages.cache import package_of, record_of
from gptwright.text.pages import read_document
from gptwright.text.read_options import ReadOptions
from gptwright.text.records import read_json_records, read_lines_of_records, read_parquet_records
from gptwright.text.warc import read_warc


def _untold(source: str, reason: str, error: str = "") -> None:
    pass


def read_file(path: Path, skip: Skip = _untold, options: ReadOptions | None = None) -> Generator[Document]:
    """The documents of one file, read as its suffix says; those of a package with its licence.

    Raises `InputError` naming the file that cannot be read; its line or record too, unless those are passed over.
    """
    options = options or ReadOptions()
    root = _tree_of(path, options)
    with open_compressed(path) as file:
        try:
            if root:
                yield from _read_code(file, path, root, skip, options)
            else:
                yield from _licensed(partial(_READERS[suffix_of(path)], file), path, skip, options)
        except LongLine:
            skip(_source(path, root), TOO_LONG)


def read_range(path: Path, begin: int, end: int, skip: Skip, options: ReadOptions | None = None) -> Generator[Document]:
    """The documents on the lines of a .jsonl file from one offset to another, at both of which a line begins.

    Raises `InputError` as `read_file` does.
    """
    with open_compressed(path) as file:
        file.seek(begin)
        lines = partial(read_lines_of_records, LinesUntil(file, end - begin), begin=begin)
        yield from _licensed(lines, path, skip, options or ReadOptions())


def outer_licence(path: Path, options: ReadOptions) -> str:
    """The licence that a file is under by what stands beside it: a program by the nearest licence file in its tree,
    else the package that it is of; "" for any other file."""
    root = _tree_of(path, options)
    told = nearest_licence(path, root)[0] if root else UNKNOWN
    package = record_of(path) if told == UNKNOWN else None
    return package["licence"] if package else told if root else ""


def _tree_of(path: Path, options: ReadOptions) -> Path | None:
    """The tree that a program is in."""
    return None if suffix_of(path) else next((root for root in options.trees if root in path.parents), None)


def _source(path: Path, root: Path | None) -> str:
    """What the documents of a file name as their source: of a program in no package its tree."""
    return readable(root.resolve().name) if root and not package_of(path) else source_name(path)


def _licensed(
    read: Callable[[Path, Skip, ReadOptions], Iterator[Document]], path: Path, skip: Skip, options: ReadOptions
) -> Iterator[Document]:
    """The documents of a text, with the licence of the package that it is of; none where that is not to be kept."""
    licence = outer_licence(path, options)
    if licence and options.licence == "permissive" and not is_permissive(licence):
        skip(source_name(path), f"licence: {licence}")
    elif licence:
        yield from (replace(document, licence=licence) for document in read(path, skip, options))
    else:
        yield from read(path, skip, options)


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


def _read_text(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    text, encoding = decode(read_lined(file, path), path, options.encoding)
    yield Document(text, source_name(path), stem(path), file=label(path), encoding=encoding)


def _read_markdown(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    for page in _read_text(file, path, skip, options):
        text = without_front_matter(page.text)
        yield replace(page, text=text, cut={"front matter": len(page.text) - len(text)})


def _read_html(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    page = read_document(read_lined(file, path), path, options, xml=suffix_of(path) == ".xhtml")
    yield replace(page, source=source_name(path), title=page.title or stem(path), file=label(path))


def _read_epub(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    book = read_epub(file, path, replace(options, html=options.html[:1]))
    yield replace(book, source=source_name(path), title=book.title or stem(path), file=label(path))


def _read_code(file: IO[bytes], path: Path, root: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    source = _source(path, root)
    found = read_code(read_lined(file, path), path, root, options, outer_licence(path, options))
    if isinstance(found, str):
        skip(source, found)
    else:
        yield replace(found, source=source, title=readable(found.title), file=label(path))


def _read_warc(file: IO[bytes], path: Path, skip: Skip, options: ReadOptions) -> Iterator[Document]:
    source, name = source_name(path), label(path)
    for found in read_warc(file, path, options):
        if isinstance(found, str):
            skip(source, found)
        else:
            yield replace(found, source=source, file=name, encoding=UTF8)


_READERS: dict[str, Callable[[IO[bytes], Path, Skip, ReadOptions], Iterator[Document]]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".xhtml": _read_html,
    ".epub": _read_epub,
    ".jsonl": read_lines_of_records,
    ".json": read_json_records,
    ".parquet": read_parquet_records,
    ".warc": _read_warc,
    ".wet": _read_warc,
}
NAMED_ALONE = (".json",)
"""kinds that may be anything: read where a file is named itself, or by a pattern"""
SUFFIXES = f"{' '.join(_READERS)}, each also with {' '.join(COMPRESSED)}"
