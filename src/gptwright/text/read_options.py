"""How files are read: what nothing in them says."""

from dataclasses import dataclass
from pathlib import Path

from gptwright.text.encoding_labels import Encoding
from gptwright.text.links import Links


@dataclass(frozen=True)
class ReadOptions:
    """`encoding` is of text that does not show its own; `html` names readers of pages (`page_readers.READERS`).

    `trees` are folders of programs. Of these and of packages all is read or, by `licence`, what is "permissive". Of
    web archives, pages are read that `links` hold, or all without any. The text of a record is the first of
    `text_fields` that it has. What cannot be read is refused, or told and passed over with
    `skip_unreadable`.
    """

    encoding: Encoding | None = None
    html: tuple[str, ...] = ("own",)
    trees: tuple[Path, ...] = ()
    licence: str = "any"
    links: Links | None = None
    text_fields: tuple[str, ...] = ("text",)
    skip_unreadable: bool = False
