"""A web page's bytes to a document, by the readers that are asked for."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from gptwright.text.documents import Document
from gptwright.text.encoding import decode_html
from gptwright.text.encoding_labels import Encoding
from gptwright.text.page_bounds import VOID
from gptwright.text.page_readers import read_by
from gptwright.text.read_options import ReadOptions

LEFT_OUT = "menus and the like of web pages"
_EMPTY = re.compile(r"<([a-zA-Z][\w:.-]*)((?:\s[^<>]*)?)/>")


def read_document(
    data: bytes, path: Path, options: ReadOptions, encoding: Encoding | None = None, *, xml: bool = False
) -> Document:
    """What the first reader gives, and how the others would read it. `encoding` is what the server said, and `xml` that
    it is XHTML, in which `<title/>` is empty and does not open an element as in HTML.

    Raises `InputError` for what is no text, and `ConfigError` without the reader's program.
    """
    html, name = decode_html(data, path, encoding or options.encoding)
    html = _EMPTY.sub(_closed, html) if xml else html
    first, *others = (partial(_document, reader, html, name) for reader in options.html)
    document = first()
    return replace(document, readings=tuple(others)) if others else document


def _document(reader: str, html: str, encoding: str) -> Document:
    page = read_by(reader, html)
    return Document(page.text, "", page.title, encoding=encoding, cut={LEFT_OUT: page.left_out})


def _closed(empty: re.Match[str]) -> str:
    return empty[0] if empty[1].lower() in VOID else f"<{empty[1]}{empty[2]}></{empty[1]}>"
