"""A web page's bytes to a document, by the readers that are asked for."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from gptwright.text.documents import Document
from gptwright.text.encoding import decode_html
from gptwright.text.encoding_labels import Encoding
from gptwright.text.page_readers import read_by
from gptwright.text.read_options import ReadOptions

LEFT_OUT = "menus and the like of web pages"


def read_document(data: bytes, path: Path, options: ReadOptions, encoding: Encoding | None = None) -> Document:
    """What the first reader gives, and how the others would read it. `encoding` is what the server said.

    Raises `InputError` for what is no text, and `ConfigError` without the reader's program.
    """
    html, name = decode_html(data, path, encoding or options.encoding)
    first, *others = (partial(_document, reader, html, name) for reader in options.html)
    document = first()
    return replace(document, readings=tuple(others)) if others else document


def _document(reader: str, html: str, encoding: str) -> Document:
    page = read_by(reader, html)
    return Document(page.text, "", page.title, encoding=encoding, cut={LEFT_OUT: page.left_out})
