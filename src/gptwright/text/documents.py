"""A document: one piece of text and where it came from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

UTF8 = "utf-8"


class Skip(Protocol):
    """Called for every record that is no document, with what is wrong in it where it cannot be read."""

    def __call__(self, source: str, reason: str, error: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Document:
    """One text. `source` is short (a bundled source's name, or the file's name); `file` says where it was read.

    `split` is "train" or "heldout" when the source fixed it, and None when it is ours to choose. `encoding` is what
    the file was read as; `cut` has the characters that its reader left out, by reason. `readings` read the same page
    in other ways, to be asked for where the filters keep nothing of this one. `language` is what it was found to be
    in, and `licence` what a program, or the package that a text is of, is under.
    """

    text: str
    source: str
    title: str = ""
    split: str | None = None
    file: str = ""
    encoding: str = UTF8
    cut: Mapping[str, int] = field(default_factory=dict[str, int])
    readings: tuple[Callable[[], "Document"], ...] = ()
    language: str = ""
    licence: str = ""
