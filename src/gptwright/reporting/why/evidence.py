"""What can be shown of where an answer comes from. It is the JSON of `why --json`, field by field."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Piece = tuple[str, bool]
"""text, and whether it is marked"""


@dataclass(frozen=True)
class Origin:
    """Where a text stands; empty what nobody told."""

    source: str
    title: str = ""
    licence: str = ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return " · ".join(part for part in (self.source, self.title, self.licence or "licence not told") if part)


@dataclass(frozen=True)
class Passage:
    """Some tokens of what was learned, those that the answer has too marked."""

    origin: Origin
    text: Sequence[Piece]
    tokens: int = 0
    """that it shares with the answer in a row"""
    count: int = 0
    """how often these stand in what was learned"""
    similarity: float | None = None
    """cosine of the states, of what all passages have in common taken away; None of one found by its words"""


@dataclass(frozen=True)
class Influence:
    """A demonstration or a ranking, and its influence on the answer."""

    origin: Origin
    share: float
    """of the strongest, between -1 and 1; below 0 against the answer"""
    turns: Sequence[tuple[str, str]]
    """(role, what was said)"""
    ranks: Sequence[tuple[int, str]] = ()
    """(rank, answer) of a ranking, 1 is best"""


@dataclass
class Evidence:
    """All that was found, the nearest and the strongest first."""

    model: str
    asked: Sequence[tuple[str, str]]
    """(role, what was said) of what is answered, a text that goes on has the role "prompt"; may be empty"""
    answer: Sequence[Piece]
    """marked what stands word for word in what was learned"""
    by_words: list[Passage] = field(default_factory=list[Passage])
    by_state: list[Passage] = field(default_factory=list[Passage])
    demonstrations: list[Influence] = field(default_factory=list[Influence])
    pairs: list[Influence] = field(default_factory=list[Influence])
    """rankings that moved the model itself"""
    rankings: list[Influence] = field(default_factory=list[Influence])
    """those that moved its reward model"""
    notes: list[str] = field(default_factory=list[str])
    """what could not be looked at, and what the figures mean"""


def marked(said: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[Piece]:
    """Tokens as pieces, those of the spans (first, end) marked; neighbours alike are one piece."""
    inside = [any(first <= at < end for first, end in spans) for at in range(len(said))]
    pieces: list[Piece] = []
    for text, mark in zip(said, inside, strict=True):
        if pieces and pieces[-1][1] == mark:
            pieces[-1] = (pieces[-1][0] + text, mark)
        else:
            pieces.append((text, mark))
    return [(text, mark) for text, mark in pieces if text]


def as_json(evidence: Evidence) -> dict[str, Any]:
    """Objects, lists, texts and numbers alone."""
    return asdict(evidence)
