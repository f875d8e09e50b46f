"""What cleaning did, in examples: for each reason the first documents that went, and how long those are that stayed."""

from collections import Counter
from collections.abc import Callable
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


@dataclass(frozen=True)
class Cluster:
    """The beginning of a text that stayed, and how many went because they are almost the same."""

    excerpt: str
    dropped: int


@dataclass
class Examples:
    """`dropped` has at most `MOST` of each reason; `lengths` counts what stays by the power of two that it is below;
    `alike` counts, for each text that stayed, by its number among them, those that are almost the same."""

    dropped: dict[str, list[Example]] = field(default_factory=dict[str, list[Example]])
    lengths: Counter[int] = field(default_factory=Counter[int])
    alike: Counter[int] = field(default_factory=Counter[int])
    clusters: list[Cluster] = field(default_factory=list[Cluster])

    def drop(self, document: Document, reason: str, earlier: str = "") -> None:
        """A document went."""
        examples = self.dropped.setdefault(reason, [])
        if len(examples) < MOST:
            text = document.text
            examples.append(Example(document.source, document.title, text[:EXCERPT], len(text), earlier[:EXCERPT]))

    def keep(self, document: Document) -> None:
        """A document stays."""
        self.lengths[1 << len(document.text).bit_length()] += 1

    def note_clusters(self, text_of: Callable[[int], str]) -> None:
        """Keeps the largest clusters, while the texts that stayed are still there."""
        self.clusters = [Cluster(text_of(number)[:EXCERPT], count) for number, count in self.alike.most_common(MOST)]
