"""Task sets about whose text it is: Austen's, Shakespeare's, or WordNet's.

What `build.py` holds out of the texts for pretraining, whole chapters, scenes and words, is held out here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

from build import Document, novels, plays, split_name, wordnet
from task_rows import Row, Unit, shuffled

FEWEST, MOST = 8, 14  # words of a piece
SPEAKER = re.compile(r"^[A-Z][\w .']*:\s+")


def same_author(work: Path) -> Iterator[Unit]:
    """Two pieces, and whether one hand wrote both; an author is as frequent in one label as in the other."""
    for split, sides in _sides(work):
        pieces = [iter(side) for side in sides]
        for turn, first in _in_turn(pieces):
            same = turn // 3 % 2 == 0
            step = 0 if same else 1 + turn // 6 % 2
            second = next(pieces[(turn + step) % 3], None)
            if second is None:
                break
            row = {"first": first["text"], "second": second["text"], "label": "same" if same else "other"}
            yield [_told(row, split, first)]


def author_choice(work: Path) -> Iterator[Unit]:
    """A piece, and one by each author: which of these is by the same?"""
    for split, pieces in _sides(work):
        choices = [cycle(side[::-1]) for side in pieces]
        for turn, context in _in_turn([iter(side) for side in pieces]):
            texts = [next(side)["text"] for side in choices]
            if context["text"] in texts:
                continue
            order = shuffled(texts, context["text"])
            row = {"context": context["text"], "choices": order, "label": order.index(texts[turn % 3])}
            yield [_told(row, split, context)]


def _told(row: Row, split: str, piece: Row) -> Row:
    return {**row, "split": split, "source": "authors", "group": piece["group"]}


def _in_turn(pieces: list[Iterator[Row]]) -> Iterator[tuple[int, Row]]:
    """The next piece of each author in turn, until one has no more."""
    for turn in count():
        piece = next(pieces[turn % 3], None)
        if piece is None:
            return
        yield turn, piece


def _sides(work: Path) -> Iterator[tuple[str, list[list[Row]]]]:
    """For each side the pieces of the three authors, in an order that depends on their words alone."""
    authors = [list(_pieces(documents)) for documents in (novels(work), plays(work), wordnet(work))]
    for split in map(split_name, (False, True)):
        sides = ({row["text"]: row for row in rows if row["split"] == split} for rows in authors)
        yield split, [[side[text] for text in shuffled(side, "authors")] for side in sides]


def _pieces(documents: Iterator[Document]) -> Iterator[Row]:
    """The first words of every paragraph, speech or gloss; in lower case, as verse begins its lines with capitals."""
    for document in documents:
        heading, *blocks = document["text"].split("\n\n")
        group = heading
        if "gloss" in document:
            group, blocks = f"WordNet, {document['title']}", [document["gloss"]]
        for block in blocks:
            words = SPEAKER.sub("", block).lower().split()
            if len(words) >= FEWEST and "[" not in block:
                yield {"text": " ".join(words[:MOST]), "split": document["split"], "group": group}
