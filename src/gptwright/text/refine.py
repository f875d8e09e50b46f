"""From a file to documents worth keeping: cleaned, cut into sections, each text once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gptwright.text.clean import drop_boilerplate, normalise
from gptwright.text.dedup import ExactDuplicates, LineDuplicates
from gptwright.text.documents import Document
from gptwright.text.ledger import Ledger
from gptwright.text.read import read_file
from gptwright.text.split import sections

MIN_DOCUMENT = 20


@dataclass(frozen=True, slots=True)
class Refined:
    """A document as it will be kept, and the characters it had when it came in."""

    document: Document
    characters_in: int


class Refiner:
    """Remembers what it saw, so one refiner reads all files; what it drops is written into the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._documents = ExactDuplicates()
        self._lines = LineDuplicates()

    def read(self, path: Path) -> Iterator[Refined]:
        """The documents of a file that are worth keeping."""
        for document in read_file(path, self.ledger.skip):
            yield from self._refine(document)

    def _refine(self, document: Document) -> Iterator[Refined]:
        text = drop_boilerplate(normalise(document.text))
        lost = len(document.text) - len(text)
        title = " ".join(normalise(document.title).split())
        for section in sections(replace(document, text=text, title=title)):
            characters_in = len(section.text) + lost
            lost = 0
            kept = replace(section, text=self._without_repeated_lines(section))
            if reason := self._fault(kept.text):
                self.ledger.drop(document.source, reason, characters_in)
            else:
                yield Refined(kept, characters_in)

    def _without_repeated_lines(self, section: Document) -> str:
        before = self._lines.dropped
        text = self._lines.clean(section.text).strip("\n")
        if cut := self._lines.dropped - before:
            self.ledger.of(section.source).cut_lines["repeated in many documents"] += cut
        return text

    def _fault(self, text: str) -> str | None:
        if not text.strip():
            return "empty"
        if len(text) < MIN_DOCUMENT:
            return "too short"
        return None if self._documents.is_new(text) else "duplicate"
