"""How files are read: what nothing in them says."""

from dataclasses import dataclass

from gptwright.text.encoding_labels import Encoding


@dataclass(frozen=True)
class ReadOptions:
    """`encoding` is of text that does not show its own; `html` names readers of pages (`page_readers.READERS`)."""

    encoding: Encoding | None = None
    html: tuple[str, ...] = ("own",)
