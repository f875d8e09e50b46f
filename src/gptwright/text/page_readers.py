"""Programs that find the text of a web page: our own, and two that others know.

They differ most in what they leave out. Given one after the other, a page is what the first of them reads whose text
the filters keep: what one reader spoils, another may save.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from gptwright.foundations.errors import ConfigError
from gptwright.text.html import Page, read_page, seen_of
from gptwright.text.page_bounds import bounded

LARGEST_FOR_TRAFILATURA = 2**21
"""characters of a page; it is a hundred times slower than the others on long ones"""


def read_by(reader: str, html: str) -> Page:
    """The page as a reader of `READERS` reads it. Raises `ConfigError` without the program."""
    return READERS[reader](html)


def _read_by_resiliparse(html: str) -> Page:
    extract = _program("resiliparse.extract.html2text", "resiliparse").extract_plain_text
    return _page(html, extract(bounded(html), main_content=True, alt_texts=False, list_bullets=False))


def _read_by_trafilatura(html: str) -> Page:
    extract = _program("trafilatura", "trafilatura").extract
    text = "" if len(html) > LARGEST_FOR_TRAFILATURA else extract(bounded(html), include_comments=False)
    return _page(html, text or "")


def _page(html: str, text: str) -> Page:
    title, seen = seen_of(html)
    return Page(title, text, max(0, seen - len(text)))


@cache
def _program(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(f"{name} to read web pages", f"none that works here ({error})",
                          "pip install 'gptwright[corpus]'") from error  # fmt: skip


READERS: dict[str, Callable[[str], Page]] = {
    "own": read_page,
    "resiliparse": _read_by_resiliparse,
    "trafilatura": _read_by_trafilatura,
}
