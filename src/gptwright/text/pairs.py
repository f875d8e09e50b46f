"""Sentence pairs to translate: JSON Lines of {"source", "target"}, and optionally "split"."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.text.heldout import assign_splits
from gptwright.text.jsonl import Line, read_objects
from gptwright.text.split import Split

HELDOUT_FRACTION = 1 / 50


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and its translation."""

    source: str
    target: str


def read_pairs(path: Path) -> dict[Split, list[Pair]]:
    """Both splits of a file. A line without a split is for training; when no line is held out, 1 in 50 is, by a hash.

    Equal sources stay in one split: what is held out is not trained on. Raises `InputError` naming the line that is no
    pair, or when a split stays empty.
    """
    lines = [(line, Pair(_text(line, "source"), _text(line, "target"))) for line in read_objects(path)]
    splits = assign_splits([lines], lambda item: item[1].source, lambda item: item[0].split, HELDOUT_FRACTION)
    if splits.left_out:
        say(f"{path}: {splits.left_out:,} pairs for training dropped, whose source is held out")
    found: dict[Split, list[Pair]] = {
        "train": [pair for _, pair in splits.train],
        "heldout": [pair for _, pair in splits.heldout],
    }
    for split, pairs in found.items():
        if not pairs:
            raise InputError(f"pairs with at least two sources in {path}", f"none for '{split}'", "Add lines.")
    return found


def interleaved(pairs: list[Pair]) -> Iterator[str]:
    """Sources and targets alternately: text 2k is a source, 2k + 1 its target."""
    for pair in pairs:
        yield pair.source
        yield pair.target


def _text(line: Line, field: str) -> str:
    value = line.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"text as '{field}' in {line.where}", repr(value)[:40],
                         'Write {"source": "…", "target": "…"}.')  # fmt: skip
    return value
