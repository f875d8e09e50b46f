"""What a model learned, as far as it is still there: packed text, demonstrations, rankings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gptwright.alignment.demonstrations import (
    Conversation,
    Demonstration,
    best_answers,
    demonstrations,
    read_conversations,
)
from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.errors import GptwrightError
from gptwright.foundations.intake import Intake
from gptwright.foundations.runs import FROM_STORE
from gptwright.pipelines.ancestry import Ancestor
from gptwright.pipelines.model import Model
from gptwright.reporting.why.evidence import Origin
from gptwright.store.ranking_lines import Ranking, read_rankings
from gptwright.text.bundled_licences import licence_of_file, licence_of_source
from gptwright.text.compression import open_compressed, read_lines
from gptwright.text.jsonl import read_object
from gptwright.text.overlap import Numbers
from gptwright.text.pack import TokenFile
from gptwright.tokenizers.tokenizer import Tokenizer

TEACHING = ("conversations", "rankings")
"""fields of stages whose files are demonstrations: of rankings sft learns the best answers"""


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


@dataclass
class Learned:
    """What was found. `reward` is the folder of the reward model that learned the rankings."""

    texts: list[Text] = field(default_factory=list[Text])
    conversations: list[Conversation] = field(default_factory=list[Conversation])
    shown: list[Demonstration] = field(default_factory=list[Demonstration])
    """of the conversations, in their order"""
    reward: Path | None = None
    rankings: list[Ranking] = field(default_factory=list[Ranking])
    files: dict[str, Path] = field(default_factory=dict[str, Path])
    """those of conversations and rankings, by how `where` names them"""
    notes: list[str] = field(default_factory=list[str])

    def origin(self, where: str) -> Origin:
        """Of a line, by "line 3 of FILE"."""
        line, _, name = where.partition(" of ")
        path = self.files.get(name)
        return Origin(path.name if path else name, line, (licence_of_file(path) or "") if path else "")


def learned(ancestors: Sequence[Ancestor], model: Model) -> Learned:
    """What a model's stage and those before it learned. Files that are gone or changed are told in `notes`."""
    found = Learned()
    for each in ancestors:
        stage = each.path.name
        for name, where in each.lost.items():
            if name.split("[")[0] in (*TEACHING, "tokens", "text", "reward"):
                found.notes.append(f"{stage} read {where}, which is not there: give it back its place to see it")
        for name in sorted(each.changed):
            if name.split("[")[0] in TEACHING:
                found.notes.append(f"{each.inputs[name]} was changed since {stage} read it: lines may be others")
    _take_texts(ancestors, found)
    _take_conversations(ancestors, model, found)
    _take_rankings(ancestors, found)
    return found


def _take_texts(ancestors: Sequence[Ancestor], found: Learned) -> None:
    for each in ancestors:
        if each.verb != "tokenize":
            continue
        try:
            tokens = TokenFile.open(each.path / "train")
            tokenizer = Tokenizer.load(each.path)
        except GptwrightError as error:
            found.notes.append(f"the text of {each.path.name} cannot be read: {error}")
            continue
        if not tokens.meta.pairs:
            prepared = each.inputs.get("text")
            found.texts.append(Text(tokens, tokenizer, prepared if prepared and prepared.is_dir() else None))


def _take_conversations(ancestors: Sequence[Ancestor], model: Model, found: Learned) -> None:
    intake, read = Intake("why"), list[Conversation]()
    for path in _files(ancestors, "conversations", found):
        read += [each for each in _lines(read_conversations, path, found, intake) if each.split != "heldout"]
    taught = [each for each in ancestors if each.verb == "sft"]
    for path in _files(taught, "rankings", found):
        read += best_answers([_lines(read_rankings, path, found)], intake)
    for conversation in read:
        try:
            shown = demonstrations([conversation], model.tokenizer, model.context, intake)
        except GptwrightError as error:  # the tokenizer has no template
            found.notes.append(f"the conversations cannot be read: {error}")
            return
        found.conversations += [conversation] * len(shown)
        found.shown += shown


def _take_rankings(ancestors: Sequence[Ancestor], found: Learned) -> None:
    rewards = [each for each in ancestors if each.verb == "reward" and not each.config.get("shuffled")]
    if not rewards:
        return
    found.reward = rewards[0].path
    for path in _files(rewards[:1], "rankings", found):
        found.rankings += [each for each in _lines(read_rankings, path, found) if each.split != "heldout"]


def _files(stages: Sequence[Ancestor], field: str, found: Learned) -> list[Path]:
    """The files of a field of any of the stages, and what they took from a store, each once."""
    stored = {"conversations": "demonstrations", "rankings": "rankings"}[field]
    paths = [path for stage in stages for _, path in stage.files(field)]
    paths += [path for stage in stages if (path := stage.path / FROM_STORE / f"{stored}.jsonl").is_file()]
    once = [path for path in dict.fromkeys(paths) if path.stat().st_size]
    found.files |= {str(path): path for path in once}
    return once


def _lines(read: Any, path: Path, found: Learned, *more: Any) -> list[Any]:
    try:
        return read(path, *more)
    except GptwrightError as error:
        found.notes.append(f"{path} cannot be read: {error}")
        return []
