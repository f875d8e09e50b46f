"""What cleaning did: for each reason the first documents that went, a list of all that did, and what stayed."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from gptwright.text.cuts import utf8_size
from gptwright.text.documents import Document
from gptwright.text.near_duplicates import NearDuplicates
from gptwright.text.scripts import script_of

MOST = 10
EXCERPT = 600
BEGINNING = 200
"""characters of a document in the list"""


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
class KeptFigures:
    """Of the documents of a language: how many, their characters, bytes of UTF-8 and tokens, where those are counted,
    and how many have fewer characters than a power of two and not than the one before."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter[int])


def language_or_script(document: Document) -> str:
    """What a document is in: its language where that was found out, otherwise the script of most of its letters."""
    return document.language or script_of(document.text)


def _line(document: Document, reason: str, earlier: str) -> str:
    row = {"reason": reason, "source": document.source, "file": document.file, "title": document.title,
           "characters": len(document.text), "begins": document.text[:BEGINNING],
           "like": earlier[:BEGINNING]}  # fmt: skip
    return json.dumps({name: value for name, value in row.items() if value != ""}, ensure_ascii=False) + "\n"


@dataclass
class Examples:
    """`dropped` has at most `MOST` of each reason; `kept` is what stays, by language or script;
    `cluster_sizes` counts the texts that stayed by the number of those that are almost the same. A line of JSON for
    every document that went is written to `listed`, where there is one; `count_tokens` says how many a text has."""

    dropped: dict[str, list[Example]] = field(default_factory=dict[str, list[Example]])
    kept: dict[str, KeptFigures] = field(default_factory=dict[str, KeptFigures])
    cluster_sizes: Counter[int] = field(default_factory=Counter[int])
    clusters: list[Cluster] = field(default_factory=list[Cluster])
    listed: TextIO | None = None
    count_tokens: Callable[[str], int] | None = None

    def drop(self, document: Document, reason: str, earlier: str = "") -> None:
        """A document went."""
        examples = self.dropped.setdefault(reason, [])
        if len(examples) < MOST:
            text = document.text
            examples.append(Example(document.source, document.title, text[:EXCERPT], len(text), earlier[:EXCERPT]))
        if self.listed is not None:
            self.listed.write(_line(document, reason, earlier))

    def keep(self, document: Document) -> None:
        """A document stays."""
        figures = self.kept.setdefault(language_or_script(document), KeptFigures())
        figures.documents += 1
        figures.characters += len(document.text)
        figures.bytes += utf8_size(document.text)
        if self.count_tokens is not None:
            figures.tokens += self.count_tokens(document.text)
        figures.lengths[1 << len(document.text).bit_length()] += 1

    @property
    def lengths(self) -> Counter[int]:
        """Those of all that stays."""
        return sum((figures.lengths for figures in self.kept.values()), Counter[int]())

    def note_clusters(self, near: NearDuplicates) -> None:
        """Keeps the largest clusters, while the texts that stayed are still there."""
        self.cluster_sizes = near.cluster_sizes()
        self.clusters = [Cluster(near.text(number)[:EXCERPT], count) for number, count in near.largest_clusters(MOST)]
