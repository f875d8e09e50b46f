"""Where words of an answer are looked for: packed text of the corpus, and demonstrations as one row of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gptwright.alignment.demonstrations import Demonstration
from gptwright.foundations.atomic_io import read_json
from gptwright.reporting.why.evidence import Origin
from gptwright.text.bundled_licences import licence_of_source
from gptwright.text.compression import open_compressed, read_lines
from gptwright.text.jsonl import read_object
from gptwright.text.overlap import Numbers
from gptwright.text.pack import TokenFile
from gptwright.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class Text:
    """The packed text of a finished `tokenize`, and the documents of `prepare` that it was made from."""

    tokens: TokenFile
    tokenizer: Tokenizer
    prepared: Path | None

    def document_at(self, place: int) -> int:
        """The number of the document in which a token stands."""
        return int(np.searchsorted(self.tokens.documents, place, side="right"))

    def bounds(self, document: int) -> tuple[int, int]:
        """Its first token, and its end without the end-of-text token."""
        first = int(self.tokens.documents[document - 1]) if document else 0
        return first, int(self.tokens.documents[document]) - 1

    def origins(self, documents: Sequence[int]) -> dict[int, Origin]:
        """Where each document comes from."""
        unknown = dict.fromkeys(documents, Origin("a text of the corpus"))
        if self.prepared is None:
            return unknown
        path, wanted = self.prepared / "train.jsonl", set(documents)
        with open_compressed(path) as file:
            lines = {number: line for number, line in enumerate(read_lines(file, path)) if number in wanted}
        return unknown | {number: self._origin(read_object(line, number + 1, path)) for number, line in lines.items()}

    def _origin(self, line: dict[str, Any]) -> Origin:
        source = str(line.get("source") or "")
        known = f"bundled:{source}" in self._files
        return Origin(source, str(line.get("title") or ""), (licence_of_source(source) or "") if known else "")

    @cached_property
    def _files(self) -> set[str]:
        """What prepare read, as its sources.json names it."""
        path = self.prepared / "sources.json" if self.prepared else None
        found: Any = read_json(path) if path and path.is_file() else {}
        return {str(each.get("file")) for each in found.get("files", [])}


class Spoken:
    """Demonstrations as one row of tokens."""

    def __init__(self, shown: Sequence[Demonstration]) -> None:
        rows = [each.whole for each in shown]
        self.ends = np.cumsum([len(row) for row in rows])
        self.row: Numbers = np.array([id for row in rows for id in row], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.row)

    def window(self, i: int, length: int) -> Numbers:
        return self.row[i : i + length]
