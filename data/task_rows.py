"""What the task sets share: rows, draws that depend on a key alone, words as they are compared, and the two sides.

A unit is one row, or several that are only balanced together; all rows of a unit stay on one side, or are left out.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

Row = dict[str, Any]
Unit = list[Row]
T = TypeVar("T")

TEXT_FIELDS = ("text", "premise", "hypothesis", "first", "second", "context", "choices")


def draw(*key: object) -> int:
    """A number that depends on the key alone."""
    return int.from_bytes(hashlib.sha256("\t".join(map(str, key)).encode()).digest()[:8], "big")


def shuffled(items: Iterable[T], *key: object) -> list[T]:
    """The items in an order that depends on the key and on how each is written."""
    return sorted(items, key=lambda item: draw(*key, item))


def normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def texts(row: Row) -> Iterator[str]:
    """Every text of a row, normalised."""
    for field in TEXT_FIELDS:
        value = row.get(field, [])
        yield from map(normalised, [value] if isinstance(value, str) else value)


def stems(text: str) -> set[str]:
    """The words of four letters or more, cut to five letters: `walks` and `walking` meet as `walk`-something."""
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())}


def overlap(first: str, second: str) -> float:
    """The share of stems that two texts have in common (Jaccard), from 0 to 1."""
    a, b = stems(first), stems(second)
    return len(a & b) / max(len(a | b), 1)


def apart(units: Iterable[Unit]) -> list[Unit]:
    """The units without repeated ones, and without those for training that have a text of a held-out row."""
    once: dict[tuple[str, ...], Unit] = {}
    for unit in units:
        once.setdefault(tuple(sorted("\t".join(texts(row)) for row in unit)), unit)
    held = {text for unit in once.values() if unit[0]["split"] == "heldout" for row in unit for text in texts(row)}
    return [
        unit
        for unit in once.values()
        if unit[0]["split"] == "heldout" or not any(text in held for row in unit for text in texts(row))
    ]


def share(units: Sequence[Unit], train: int, heldout: int) -> list[Unit]:
    """About so many rows of each side, chosen by hash, equally many of every class where a unit is one row."""
    kept: list[Unit] = []
    for split, rows in (("train", train), ("heldout", heldout)):
        queues: dict[Any, list[Unit]] = {}
        side = [unit for unit in units if unit[0]["split"] == split]
        for unit in shuffled_units(side):
            queues.setdefault(unit[0]["label"] if len(unit) == 1 else None, []).append(unit)
        kept += even(list(queues.values()), rows // max(map(len, side), default=1))
    return shuffled_units(kept)


def shuffled_units(units: Iterable[Unit]) -> list[Unit]:
    return sorted(units, key=lambda unit: draw("order", *texts(unit[0])))


def even(queues: list[list[Unit]], count: int) -> list[Unit]:
    """The first `count` units, taken from the queues in turn; a queue that is empty is passed over."""
    turns = (queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue))
    return [unit for unit, _ in zip(turns, range(count), strict=False)]
