"""Sentence pairs to translate: JSON Lines of {"source", "target"}, and optionally "split"."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import Line, read_objects
from gptwright.text.split import Split, position

HELD_OUT = 1 / 50
SEED = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and its translation."""

    source: str
    target: str


def read_pairs(path: Path) -> dict[Split, list[Pair]]:
    """Both sides of a file. A line without a split is for training; when no line is held out, 1 in 50 is, by a hash.

    Equal sources stay on one side. Raises `InputError` naming the line that is no pair, or when a side stays empty.
    """
    sides: dict[Split, list[Pair]] = {"train": [], "heldout": []}
    for line in read_objects(path):
        sides[line.split or "train"].append(Pair(_text(line, "source"), _text(line, "target")))
    if not sides["heldout"]:
        sides = _held_out(sides["train"])
    for split, pairs in sides.items():
        if not pairs:
            raise InputError(f"pairs with at least two sources in {path}", f"none for '{split}'", "Add lines.")
    return sides


def texts(pairs: list[Pair]) -> Iterator[str]:
    """Sources and targets alternately: text 2k is a source, 2k + 1 its target."""
    for pair in pairs:
        yield pair.source
        yield pair.target


def _held_out(pairs: list[Pair]) -> dict[Split, list[Pair]]:
    places = {pair.source: position(pair.source, SEED) for pair in pairs}
    held = {source for source, place in places.items() if place < HELD_OUT} or {min(places, key=lambda s: places[s])}
    return {
        "train": [pair for pair in pairs if pair.source not in held],
        "heldout": [pair for pair in pairs if pair.source in held],
    }


def _text(line: Line, field: str) -> str:
    value = line.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"text as '{field}' in {line.where}", repr(value)[:40],
                         'Write {"source": "…", "target": "…"}.')  # fmt: skip
    return value
