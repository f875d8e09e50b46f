"""A document: one piece of text and where it came from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """One text. `source` is short (a bundled source's name, or the file's name); `file` says where it was read.

    `split` is "train" or "heldout" when the source fixed it, and None when it is ours to choose.
    """

    text: str
    source: str
    title: str = ""
    split: str | None = None
    file: str = ""
