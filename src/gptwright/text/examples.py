"""What cleaning did, in examples: for each reason the first documents that went, and how long those are that stayed."""

from collections import Counter
from dataclasses import dataclass, field

from gptwright.text.documents import Document

MOST = 10
EXCERPT = 600


@dataclass(frozen=True)
class Example:
    """The beginning of a document that went, and of the earlier one that it is almost the same as, if that is why."""

    source: str
    title: str
    excerpt: str
    characters: int
    earlier: str = ""


@dataclass
class Examples:
    """`dropped` has at most `MOST` of each reason; `lengths` counts what stays by the power of two that it is below."""

    dropped: dict[str, list[Example]] = field(default_factory=dict[str, list[Example]])
    lengths: Counter[int] = field(default_factory=Counter[int])

    def drop(self, document: Document, reason: str, earlier: str = "") -> None:
        """A document went."""
        examples = self.dropped.setdefault(reason, [])
        if len(examples) < MOST:
            text = document.text
            examples.append(Example(document.source, document.title, text[:EXCERPT], len(text), earlier[:EXCERPT]))

    def keep(self, document: Document) -> None:
        """A document stays."""
        self.lengths[1 << len(document.text).bit_length()] += 1
