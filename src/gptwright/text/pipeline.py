"""From a file to documents worth keeping: cleaned, cut into sections, each text once."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gptwright.text.accounting import Accounting
from gptwright.text.clean import drop_boilerplate, normalise, texts_between_separators
from gptwright.text.dedup import MIN_DOCUMENT, ExactDuplicates, LineDuplicates
from gptwright.text.documents import Document
from gptwright.text.filters.presets import apply_filters
from gptwright.text.read import Skip
from gptwright.text.split import sections

REPEATED = "repeated in many documents"
LINE_RULES = "lines that a filter takes out"
Read = Callable[[Path, Skip], Iterator[Document]]


@dataclass(frozen=True, slots=True)
class CleanedDocument:
    """A document as it will be kept, and the characters that it came in with besides, by the reason of their loss."""

    document: Document
    cuts: Counter[str]

    @property
    def characters_in(self) -> int:
        """The characters it had when it came in."""
        return len(self.document.text) + self.cuts.total()

    def shortened(self, length: int, reason: str) -> "CleanedDocument":
        """Its first so many characters."""
        text = self.document.text[:length]
        cuts = Counter({**self.cuts, reason: len(self.document.text) - len(text)})
        return CleanedDocument(replace(self.document, text=text), cuts)


class CleaningPipeline:
    """Remembers what it saw, so one pipeline reads all files; what it drops is written into the accounting.

    `filters` are names of `PRESETS`; they judge each section before lines that documents share are taken out.
    """

    def __init__(self, accounting: Accounting, read: Read, filters: Sequence[str] = ()) -> None:
        self.accounting = accounting
        self._read, self._filters = read, filters
        self._documents = ExactDuplicates()
        self._lines = LineDuplicates()

    def read(self, path: Path) -> Iterator[CleanedDocument]:
        """The documents of a file that are worth keeping."""
        for document in self._read(path, self.accounting.skip):
            self.accounting.record_encoding(document)
            yield from self._clean(document)

    def _clean(self, document: Document) -> Iterator[CleanedDocument]:
        cuts = Counter(document.cut)
        text = _count_cut(cuts, "layout", document.text, normalise(document.text))
        text = _count_cut(cuts, "licences and page furniture", text, drop_boilerplate(text))
        texts = texts_between_separators(text)
        cuts["signs between texts"] += len(text) - sum(map(len, texts))
        title = " ".join(normalise(document.title).split())
        parts = [part for each in texts for part in sections(replace(document, text=each, title=title))]
        for part in parts:
            kept, reason = self._worth_keeping(part, cuts)
            cuts = Counter[str]()
            if reason:
                self.accounting.drop(document.source, reason, kept.characters_in)
            else:
                yield kept

    def _worth_keeping(self, section: Document, cuts: Counter[str]) -> tuple[CleanedDocument, str | None]:
        """The section as the filters and the lines seen before leave it, and what is against it."""
        section, reason = self._filtered(section, cuts)
        if reason is None:
            section = replace(section, text=self._without_repeated_lines(section, cuts))
            reason = self._fault(section.text)
        return CleanedDocument(section, cuts), reason

    def _filtered(self, section: Document, cuts: Counter[str]) -> tuple[Document, str | None]:
        if not self._filters or not section.text.strip():
            return section, None
        verdict = apply_filters(section.text, self._filters)
        self.accounting.source(section.source).cut_lines.update(verdict.cut_lines)
        _count_cut(cuts, LINE_RULES, section.text, verdict.text)
        return replace(section, text=verdict.text), verdict.reason

    def _without_repeated_lines(self, section: Document, cuts: Counter[str]) -> str:
        before = self._lines.dropped
        text = self._lines.clean(section.text).strip("\n")
        if cut := self._lines.dropped - before:
            self.accounting.source(section.source).cut_lines[REPEATED] += cut
        _count_cut(cuts, REPEATED if cut else "layout", section.text, text)
        return text

    def _fault(self, text: str) -> str | None:
        if not text.strip():
            return "empty"
        if len(text) < MIN_DOCUMENT:
            return "too short"
        return None if self._documents.is_new(text) else "duplicate"


def _count_cut(cuts: Counter[str], reason: str, before: str, after: str) -> str:
    """The text after a step, its loss counted."""
    cuts[reason] += len(before) - len(after)
    return after
