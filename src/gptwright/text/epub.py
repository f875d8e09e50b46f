"""Books in EPUB: a zip archive of pages, which its package file puts in order.

Nothing of it is trusted: neither the sizes that the archive claims nor where its names lead. A book is at most `MOST`
unpacked, and of what is beyond nothing is read.
"""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO
from urllib.parse import unquote
from xml.etree import ElementTree

from gptwright.foundations.errors import InputError
from gptwright.text.compression import COMPRESSED, read_all
from gptwright.text.documents import Document
from gptwright.text.pages import LEFT_OUT, read_document
from gptwright.text.read_options import ReadOptions

MOST = 256 * 2**20
PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
CONTAINER = "META-INF/container.xml"
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ElementTree.ParseError)


def read_epub(file: IO[bytes], path: Path, options: ReadOptions) -> Document:
    """The text of an opened book, its pages in the order of reading.

    Raises `InputError` for what is damaged, encrypted, too large or no book.
    """
    source = BytesIO(read_all(file, path)) if path.suffix.lower() in COMPRESSED else file
    try:
        with zipfile.ZipFile(source) as archive:
            return _book(_Unpacking(archive, path), path, options)
    except _DAMAGE as error:
        raise InputError(f"a whole EPUB file at {path}", f"a damaged or encrypted one ({error})",
                         "Copy it again, or leave it out.") from error  # fmt: skip


class _Unpacking:
    """Reads an archive's files as long as they come to no more than `MOST` together."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._path, self._left = archive, path, MOST

    def read(self, name: str) -> bytes:
        try:
            entry = self._archive.open(name)
        except KeyError as error:
            raise InputError(f"{name} in {self._path}", "no such file in it", "Leave it out.") from error
        with entry:
            data = entry.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            limit = f"{MOST / 2**20:.0f} MiB"
            raise InputError(f"at most {limit} of pages in {self._path}", "more when unpacked", "Leave it out.")
        return data


def _book(unpacking: _Unpacking, path: Path, options: ReadOptions) -> Document:
    root = _first(ElementTree.fromstring(unpacking.read(CONTAINER)), "rootfile")
    place = "" if root is None else root.get("full-path") or ""
    package = ElementTree.fromstring(unpacking.read(place))
    pages = [read_document(unpacking.read(name), path, options, xml=True) for name in _reading_order(package, place)]
    title = _first(package, "title")
    return Document(
        text="\n\n".join(page.text for page in pages if page.text.strip()),
        source="",
        title="" if title is None else (title.text or "").strip(),
        cut={LEFT_OUT: sum(page.cut[LEFT_OUT] for page in pages)},
    )


def _reading_order(package: ElementTree.Element, place: str) -> Iterator[str]:
    """The names of the pages, each once; what is not part of the reading (`linear="no"`) and menus are left out."""
    items = {item.get("id"): item for item in _all(package, "item")}
    seen = set[str]()
    for reference in _all(package, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in PAGES or reference.get("linear") == "no":
            continue
        if "nav" in (item.get("properties") or "").split():
            continue
        name = posixpath.normpath(posixpath.join(posixpath.dirname(place), unquote(item.get("href") or "")))
        if name not in seen:
            seen.add(name)
            yield name


def _all(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Elements of the name below one, of whatever namespace."""
    return (each for each in element.iter() if str(each.tag).rpartition("}")[2] == name)


def _first(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next(_all(element, name), None)
