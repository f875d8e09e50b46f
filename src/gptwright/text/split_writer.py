"""train.jsonl and heldout.jsonl while they are written; neither split may end up without text.

What a file holds out is never moved into training, however little there is to train on.
"""

import heapq
import json
from pathlib import Path

from gptwright.text.accounting import Accounting
from gptwright.text.documents import Document
from gptwright.text.pipeline import CleanedDocument
from gptwright.text.split import Split, uniform_hash

MIN_SPLIT = 1_000
_OTHER: dict[Split, Split] = {"train": "heldout", "heldout": "train"}


class SpareDocuments:
    """Documents that could change splits while the other has too little: those of the least ranks that make up
    `MIN_SPLIT` characters, whoever else there was."""

    def __init__(self) -> None:
        self._worst_first: list[tuple[float, int, int]] = []
        self._characters = 0

    def add(self, rank: float, line: int, characters: int) -> None:
        heapq.heappush(self._worst_first, (-rank, -line, characters))
        self._characters += characters
        while self._characters - self._worst_first[0][2] >= MIN_SPLIT:
            self._characters -= heapq.heappop(self._worst_first)[2]

    def clear(self) -> None:
        self._worst_first.clear()
        self._characters = 0

    def in_order(self) -> list[tuple[int, int]]:
        """Their lines and characters, the least rank first."""
        return [(-line, characters) for _, line, characters in sorted(self._worst_first, reverse=True)]


class SplitWriter:
    """Writes kept documents, one a line, into the file of their split. A context manager; call `balance` after it."""

    def __init__(self, paths: dict[Split, Path], accounting: Accounting, seed: int) -> None:
        self._paths, self._accounting, self._seed = paths, accounting, seed
        self._files = {split: path.open("w", encoding="utf-8", newline="\n") for split, path in paths.items()}
        self._documents: dict[Split, int] = dict.fromkeys(paths, 0)
        self._characters: dict[Split, int] = dict.fromkeys(paths, 0)
        self._spare = {split: SpareDocuments() for split in paths}

    def __enter__(self) -> "SplitWriter":
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files.values():
            file.close()

    def add(self, cleaned: CleanedDocument, split: Split) -> None:
        """Writes one document and enters it in the accounting."""
        document = cleaned.document
        self._files[split].write(_line(document))
        self._accounting.keep(document, split, cleaned.cuts)
        if split == "heldout" and document.split is not None:
            pass  # its file holds it out
        elif self._characters[_OTHER[split]] < MIN_SPLIT:
            place = uniform_hash(document.text, self._seed)
            named = document.split is not None  # such a line goes last
            rank = place + named if split == "train" else -place
            self._spare[split].add(rank, self._documents[split], len(document.text))
        else:
            self._spare[split].clear()
        self._documents[split] += 1
        self._characters[split] += len(document.text)

    def balance(self) -> None:
        """Moves the documents nearest to the border until both have `MIN_SPLIT` characters, if there are enough."""
        for rich, poor in _OTHER.items():
            moved: set[int] = set()
            lacking = MIN_SPLIT - self._characters[poor]
            for line, characters in self._spare[rich].in_order() if lacking > 0 else ():
                if lacking <= 0 or self._documents[rich] - len(moved) < 2:
                    break
                moved.add(line)
                lacking -= characters
            if moved:
                self._move(moved, rich, poor)

    def _move(self, numbers: set[int], old: Split, new: Split) -> None:
        rest = self._paths[old].with_suffix(".rest")
        with (
            self._paths[old].open(encoding="utf-8", newline="\n") as lines,
            rest.open("w", encoding="utf-8", newline="\n") as kept,
            self._paths[new].open("a", encoding="utf-8", newline="\n") as gained,
        ):
            for number, line in enumerate(lines):
                (gained if number in numbers else kept).write(line)
                if number in numbers:
                    row = json.loads(line)
                    self._accounting.move(Document(row["text"], row["source"]), old, new)
        rest.replace(self._paths[old])


def _line(document: Document) -> str:
    row = {"text": document.text, "source": document.source, "title": document.title}
    return json.dumps(row, ensure_ascii=False) + "\n"
