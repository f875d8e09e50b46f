"""From sections of files to documents worth keeping: what can only be said in order and beside all others.

Each text once, lines that many share only a few times, no text that is almost another, and no run of a test.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gptwright.text.accounting import Accounting
from gptwright.text.cuts import Cuts, utf8_size
from gptwright.text.decontaminate import Contamination
from gptwright.text.dedup import MIN_DOCUMENT, ExactDuplicates, LineDuplicates
from gptwright.text.documents import Document
from gptwright.text.examples import Examples
from gptwright.text.near_duplicates import NearDuplicates
from gptwright.text.scan import Scanned

REPEATED = "repeated in many documents"
OF_TESTS = "shared with a test"
EARLIER_RUN, NEAR_EARLIER_RUN = "in an earlier run", "near-duplicate of an earlier run"


@dataclass(frozen=True, slots=True)
class CleanedDocument:
    """A document as it will be kept, and what it came in with besides, by the reason of its loss."""

    document: Document
    cuts: Cuts

    @property
    def characters_in(self) -> int:
        """The characters it had when it came in."""
        return len(self.document.text) + self.cuts.characters.total()

    @property
    def bytes_in(self) -> int:
        """The bytes of UTF-8 that it had when its reader gave it."""
        return utf8_size(self.document.text) + self.cuts.bytes.total()

    def shortened(self, length: int, reason: str) -> "CleanedDocument":
        """Its first so many characters."""
        text = self.document.text[:length]
        cuts = self.cuts.copy()
        return CleanedDocument(replace(self.document, text=cuts.count(reason, self.document.text, text)), cuts)


class CleaningPipeline:
    """Remembers what it saw, below `folder`, so one pipeline is given the sections of all files; the accounting is told
    what it drops, and `examples`, where there are to be some, what went and what stayed."""

    def __init__(
        self,
        accounting: Accounting,
        near_duplicates: NearDuplicates | None = None,
        examples: Examples | None = None,
        folder: Path | None = None,
    ) -> None:
        self.accounting = accounting
        self._examples = examples
        self._near = near_duplicates
        self._tests: Contamination | None = None
        self._phrases: Collection[int] = ()
        self._documents, self._earlier_runs = ExactDuplicates(folder), ExactDuplicates(folder)
        self._of_earlier_runs = 0
        self._lines = LineDuplicates(folder=folder)

    def take_out(self, tests: Contamination, phrases: Collection[int]) -> None:
        """From here on, what texts share with these tests is taken out of them, `phrases` aside."""
        self._tests, self._phrases = tests, phrases

    def remember(self, text: str) -> None:
        """A text that an earlier run kept: it is not kept again, nor what is almost the same. Before all others."""
        self._earlier_runs.is_new(text)
        self._lines.clean(text)
        if self._near is not None and self._near.earlier(text) is None:
            self._of_earlier_runs += 1

    def keep(self, sections: Iterable[Scanned]) -> Iterator[CleanedDocument]:
        """The documents that are worth keeping."""
        for section in sections:
            for cleaned in self._kept(section):
                if self._examples is not None:
                    self._examples.keep(cleaned.document)
                yield cleaned

    def drop(self, cleaned: CleanedDocument, reason: str, earlier: str = "", times: int = 1) -> None:
        """A document is not kept, or so many records without text; `earlier` is the text that it is almost the same
        as, if that is why."""
        self.accounting.drop(cleaned.document.source, reason, cleaned.characters_in, cleaned.bytes_in, times)
        if self._examples is not None:
            for _ in range(times):
                self._examples.drop(cleaned.document, reason, earlier)

    def _kept(self, section: Scanned) -> Iterator[CleanedDocument]:
        document, cuts = section.document, section.cuts.copy()
        self.accounting.record_encoding(document)
        if section.error:
            self.accounting.unreadable.setdefault(document.file, section.error)
        reason, earlier = section.reason, ""
        if reason is None:
            if section.cut_lines:
                self.accounting.source(document.source).cut_lines.update(section.cut_lines)
            document = replace(document, text=self._without_repeated_lines(document, cuts))
            reason, earlier = self._fault(document.text, section)
        cleaned = CleanedDocument(document, cuts)
        if reason is None:
            self.accounting.source(document.source).changed.update(section.changed)
        if reason is not None:
            self.drop(cleaned, reason, earlier, section.times)
        elif section.shared and self._tests is not None:
            yield from self._pieces(cleaned, self._tests)
        else:
            yield cleaned

    def _without_repeated_lines(self, section: Document, cuts: Cuts) -> str:
        before = self._lines.dropped
        text = self._lines.clean(section.text).strip("\n")
        if cut := self._lines.dropped - before:
            self.accounting.source(section.source).cut_lines[REPEATED] += cut
        return cuts.count(REPEATED if cut else "layout", section.text, text)

    def _fault(self, text: str, section: Scanned) -> tuple[str | None, str]:
        """What is against a text, and the earlier one that it is almost the same as."""
        reason = self._exact_fault(text, section)
        if reason is not None or self._near is None:
            return reason, ""
        earlier = self._near.earlier(text, section.digest if text == section.document.text else None)
        if earlier is None:
            return None, ""
        reason = "near-duplicate" if earlier >= self._of_earlier_runs else NEAR_EARLIER_RUN
        return reason, self._near.text(earlier)

    def _exact_fault(self, text: str, section: Scanned) -> str | None:
        """An earlier run may have had a text before its lines were many."""
        if not text.strip():
            return "empty"
        if len(text) < MIN_DOCUMENT:
            return "too short"
        if self._earlier_runs.has(text) or self._earlier_runs.has(section.document.text):
            return EARLIER_RUN
        return None if self._documents.is_new(text) else "duplicate"

    def _pieces(self, cleaned: CleanedDocument, tests: Contamination) -> Iterator[CleanedDocument]:
        """What tests leave of a document; the first piece has what was lost of it."""
        document, cuts = cleaned.document, cleaned.cuts
        pieces = tests.pieces(document.text, self._phrases)
        if not pieces:
            self.drop(cleaned, OF_TESTS)
            return
        cuts.count(OF_TESTS, document.text, "".join(pieces))
        for piece in pieces:
            yield CleanedDocument(replace(document, text=piece), cuts)
            cuts = Cuts()
