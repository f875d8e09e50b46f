"""Accounting of the text: for every source, what came in, what was kept where, and why the rest was not.

Law: documents in = to train on + held out + dropped, and the same for characters and bytes with those cut out of kept
texts. Bytes are those of UTF-8, from where a reader gave a text: what it left out before has characters alone.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from gptwright.text.cuts import Cuts, utf8_size
from gptwright.text.documents import UTF8, Document
from gptwright.text.split import Split


@dataclass
class SourceStats:
    """One source's figures. Characters are counted before cleaning (in, dropped) and after it (kept).

    `changed` counts what was masked or mended in texts, and `languages` and `licences` the characters kept
    of each, where they are known.
    """

    documents_in: int = 0
    characters_in: int = 0
    bytes_in: int = 0
    documents: Counter[str] = field(default_factory=Counter[str])
    characters: Counter[str] = field(default_factory=Counter[str])
    bytes: Counter[str] = field(default_factory=Counter[str])
    dropped: Counter[str] = field(default_factory=Counter[str])
    dropped_characters: Counter[str] = field(default_factory=Counter[str])
    dropped_bytes: Counter[str] = field(default_factory=Counter[str])
    cut_lines: Counter[str] = field(default_factory=Counter[str])
    cut_characters: Counter[str] = field(default_factory=Counter[str])
    cut_bytes: Counter[str] = field(default_factory=Counter[str])
    changed: Counter[str] = field(default_factory=Counter[str])
    languages: Counter[str] = field(default_factory=Counter[str])
    licences: Counter[str] = field(default_factory=Counter[str])

    def as_dict(self) -> dict[str, object]:
        """The figures as they stand in sources.json."""
        kept = {"documents": self.documents, "characters": self.characters, "bytes": self.bytes}
        return {
            "documents_in": self.documents_in,
            "characters_in": self.characters_in,
            "bytes_in": self.bytes_in,
            **{split: {name: counts[split] for name, counts in kept.items()} for split in ("train", "heldout")},
            "dropped": {
                reason: {
                    "documents": count,
                    "characters": self.dropped_characters[reason],
                    "bytes": self.dropped_bytes[reason],
                }
                for reason, count in sorted(self.dropped.items())
            },
            "cut": {
                "characters": self.cut_characters.total(),
                "bytes": self.cut_bytes.total(),
                "reasons": {reason: count for reason, count in sorted(self.cut_characters.items()) if count},
                "lines": dict(sorted(self.cut_lines.items())),
            },
            **({"changed": dict(sorted(self.changed.items()))} if self.changed else {}),
            **({"characters_by_language": dict(sorted(self.languages.items()))} if self.languages else {}),
            **({"characters_by_licence": dict(sorted(self.licences.items()))} if self.licences else {}),
        }


class Accounting:
    """The stats of all sources, the files that were read as something else than UTF-8, and why files could not be."""

    def __init__(self) -> None:
        self.sources: defaultdict[str, SourceStats] = defaultdict(SourceStats)
        self.encodings: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}

    def source(self, source: str) -> SourceStats:
        """The source's stats, opened when it is first asked for."""
        return self.sources[source]

    def record_encoding(self, document: Document) -> None:
        """Notes the encoding of the document's file, when it is not UTF-8."""
        if document.encoding != UTF8:
            self.encodings[document.file] = document.encoding

    def drop(self, source: str, reason: str, characters: int, size: int, times: int = 1) -> None:
        """A document of `characters` and `size` bytes came in and is not kept; or `times` as many, of as many
        together."""
        stats = self.source(source)
        stats.documents_in += times
        stats.characters_in += characters
        stats.bytes_in += size
        stats.dropped[reason] += times
        stats.dropped_characters[reason] += characters
        stats.dropped_bytes[reason] += size

    def keep(self, document: Document, split: Split, cuts: Cuts) -> None:
        """A document is kept as it now stands; `cuts` has what it came in with besides."""
        stats = self.source(document.source)
        stats.documents_in += 1
        stats.characters_in += len(document.text) + cuts.characters.total()
        stats.bytes_in += utf8_size(document.text) + cuts.bytes.total()
        stats.cut_characters.update(cuts.characters)
        stats.cut_bytes.update(cuts.bytes)
        self._count(document, split, 1)

    def move(self, document: Document, old: Split, new: Split) -> None:
        """A kept document changes splits."""
        self._count(document, old, -1)
        self._count(document, new, 1)

    def total(self) -> SourceStats:
        """All sources together."""
        total = SourceStats()
        for stats in self.sources.values():
            total.documents_in += stats.documents_in
            total.characters_in += stats.characters_in
            total.bytes_in += stats.bytes_in
            for name in ("documents", "characters", "bytes", "dropped", "dropped_characters", "dropped_bytes",
                         "cut_lines", "cut_characters", "cut_bytes", "changed", "languages", "licences"):  # fmt: skip
                getattr(total, name).update(getattr(stats, name))
        return total

    def _count(self, document: Document, split: Split, sign: int) -> None:
        stats = self.source(document.source)
        stats.documents[split] += sign
        stats.characters[split] += sign * len(document.text)
        stats.bytes[split] += sign * utf8_size(document.text)
        if document.language:
            stats.languages[document.language] += sign * len(document.text)
        if document.licence:
            stats.licences[document.licence] += sign * len(document.text)
