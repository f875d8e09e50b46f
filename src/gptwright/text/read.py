"""Files to documents: plain text, Markdown, web pages, JSON Lines and parquet, each compressed or not.

A pattern is a file, a folder (read with all folders in it), a glob, `bundled`, or `bundled:NAME`.
"""

import glob
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text.bundled import bundled_name, bundled_texts, is_bundled
from gptwright.text.compression import COMPRESSED, lines, opened, read_all
from gptwright.text.documents import Document
from gptwright.text.encoding import decode, decode_html
from gptwright.text.html import read_page
from gptwright.text.split_words import read_split

Skip = Callable[[str, str], None]
"""Told the source and the reason for every record that is no document."""

# Begins with a key, so that a rule (---) at the top of a page is not taken for it.
_FRONT_MATTER = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(?=[\w\"'-]+[ \t]*:).*?^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Found:
    """The files that patterns stand for, and how many files in their folders are of kinds not read."""

    files: list[Path]
    ignored: int


def find(patterns: Sequence[str]) -> Found:
    """Files in the order of the patterns, sorted within each, none twice. Raises `InputError` when there are none."""
    files: dict[Path, Path] = {}
    ignored = 0
    for pattern in patterns:
        matches, others = _matches(pattern)
        ignored += len(others)
        for path in matches:
            files.setdefault(path.resolve(), path)
    if not files:
        got = f"none ({ignored} of other kinds)" if ignored else "none"
        raise InputError(f"files with text in {', '.join(patterns) or 'nothing'}", got, f"Known: {_known()}.")
    return Found(list(files.values()), ignored)


def resolve(patterns: Sequence[str]) -> list[Path]:
    """The files that patterns stand for; see `find`."""
    return find(patterns).files


def read_documents(patterns: Sequence[str], skip: Skip = lambda source, reason: None) -> Iterator[Document]:
    """Every document of every file, in order. Raises `InputError` naming the file (and line) that cannot be read."""
    for path in resolve(patterns):
        yield from read_file(path, skip)


def read_file(path: Path, skip: Skip = lambda source, reason: None) -> Iterator[Document]:
    """The documents of one file, read as its suffix says."""
    with opened(path) as file:
        yield from _READERS[kind(path)](file, path, skip)


def kind(path: Path) -> str:
    """The suffix that says how a file is read, without compression: ".txt" for BOOK.TXT.gz; "" when unknown."""
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    suffix = name.suffix.lower()
    return suffix if suffix in _READERS else ""


def label(path: Path) -> str:
    """How a file is named in records: `bundled:novels`, or the path as it was given."""
    name = bundled_name(path)
    return f"bundled:{name}" if name else _readable(path.as_posix())


def _source(path: Path) -> str:
    return bundled_name(path) or _readable(path.name)


def _readable(name: str) -> str:
    """Some systems allow file names that are not text."""
    return name.encode("utf-8", "replace").decode()


def _matches(pattern: str) -> tuple[list[Path], list[Path]]:
    """The files a pattern stands for, and the files it passes over."""
    if is_bundled(pattern):
        return bundled_texts(pattern), []
    path = Path(pattern).expanduser()
    if path.is_file():
        if not kind(path):
            raise InputError(f"a text file of a known kind, not {path}", f"'{path.suffix}'", f"Known: {_known()}.")
        return [path], []
    if path.is_dir():
        return _sorted_by_kind([path])
    hits = [Path(hit) for hit in glob.glob(str(path), recursive=True)]
    if not hits:
        raise InputError(f"a file, folder or pattern at {pattern}", "nothing there", "Correct the path.")
    return _sorted_by_kind(hits)


def _sorted_by_kind(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    files = {file for path in paths for file in ([path] if path.is_file() else _inside(path))}
    return sorted(f for f in files if kind(f)), sorted(f for f in files if not kind(f))


def _inside(folder: Path) -> list[Path]:
    entries = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in entries if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def _known() -> str:
    return f"{' '.join(_READERS)}, each also with {' '.join(COMPRESSED)}"


def _stem(path: Path) -> str:
    return _readable(path.with_suffix("").stem if path.suffix.lower() in COMPRESSED else path.stem)


def _read_text(file: IO[bytes], path: Path, skip: Skip) -> Iterator[Document]:
    yield Document(decode(read_all(file, path), path), _source(path), _stem(path), file=label(path))


def _read_markdown(file: IO[bytes], path: Path, skip: Skip) -> Iterator[Document]:
    text = _FRONT_MATTER.sub("", decode(read_all(file, path), path), count=1)
    yield Document(text, _source(path), _stem(path), file=label(path))


def _read_html(file: IO[bytes], path: Path, skip: Skip) -> Iterator[Document]:
    page = read_page(decode_html(read_all(file, path), path))
    yield Document(page.text, _source(path), page.title or _stem(path), file=label(path))


def _read_lines(file: IO[bytes], path: Path, skip: Skip) -> Iterator[Document]:
    for number, line in enumerate(lines(file, path), 1):
        if not line.strip():
            continue
        where = f"line {number} of {path}"
        row = _row(line, where, first=number == 1)
        if row.get("text") is None and "messages" in row:
            skip(_source(path), "conversation")
        elif "text" in row and isinstance(row["text"], str | None):
            split = read_split(row.get("split"), where)
            yield Document(row["text"] or "", _source(path), str(row.get("title") or ""), split, label(path))
        else:
            got = "a value of another type" if "text" in row else f"the fields {', '.join(row) or '(none)'}"
            raise InputError(f'a string in the field "text" in {where}', got, "Mend the line.")


def _row(line: bytes, where: str, first: bool) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig" if first else "utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"UTF-8 in {where}", f"a byte that is not at offset {error.start} of the line",
                         "Save the file as UTF-8.") from error  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise InputError(f"a JSON object in {where}", f"something else ({error})",
                         "Mend or delete the line.") from error  # fmt: skip
    if not isinstance(row, dict):
        raise InputError(f"a JSON object in {where}", f"a {type(row).__name__}", "Mend or delete the line.")
    return cast("dict[str, Any]", row)


def _read_parquet(file: IO[bytes], path: Path, skip: Skip) -> Iterator[Document]:
    try:
        parquet: Any = import_module("pyarrow.parquet")
        damage: Any = import_module("pyarrow").ArrowException
    except ImportError as error:
        raise ConfigError(f"pyarrow to read {path}", "no such package here",
                          "pip install 'gptwright[parquet]'") from error  # fmt: skip
    source: Any = BytesIO(read_all(file, path)) if path.suffix.lower() in COMPRESSED else file
    try:
        table = parquet.ParquetFile(source)
        if "text" not in table.schema_arrow.names:
            raise InputError(f'a column "text" in {path}', f"the columns {', '.join(table.schema_arrow.names)}",
                             "Rename the column that holds the text.")  # fmt: skip
        columns = [name for name in ("text", "split", "title") if name in table.schema_arrow.names]
        rows = (row for batch in table.iter_batches(batch_size=1024, columns=columns) for row in batch.to_pylist())
        for number, row in enumerate(rows, 1):
            if not isinstance(row["text"], str | None):
                got = f"a {type(row['text']).__name__}"
                raise InputError(f'strings in the column "text" of {path}', got, "Convert the column.")
            split = read_split(row.get("split"), f"row {number} of {path}")
            yield Document(row["text"] or "", _source(path), str(row.get("title") or ""), split, label(path))
    except (damage, UnicodeDecodeError) as error:
        raise InputError(f"a whole parquet file at {path}", f"a damaged one ({error})",
                         "Copy or download the file again.") from error  # fmt: skip


_READERS: dict[str, Callable[[IO[bytes], Path, Skip], Iterator[Document]]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".jsonl": _read_lines,
    ".parquet": _read_parquet,
}
