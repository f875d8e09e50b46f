"""Stretches that a text shares with a corpus: against a search by hand, over the borders of pieces, by rarity."""

import random

import numpy as np
import pytest

from gptwright.text import overlap
from gptwright.text.overlap import LEAST, Numbers, overlaps


class Row:
    """A corpus in memory, which notes how much is read at once."""

    def __init__(self, ids: list[int]) -> None:
        self.ids, self.most = np.array(ids, dtype=np.int64), 0

    def __len__(self) -> int:
        return len(self.ids)

    def window(self, i: int, length: int) -> Numbers:
        assert 0 <= i <= i + length <= len(self)
        self.most = max(self.most, length)
        return self.ids[i : i + length]


def by_hand(text: list[int], corpus: list[int]) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    for i in range(len(text)):
        for j in range(len(corpus)):
            if i and j and text[i - 1] == corpus[j - 1]:
                continue
            length = 0
            while i + length < len(text) and j + length < len(corpus) and text[i + length] == corpus[j + length]:
                length += 1
            if length >= LEAST:
                found.setdefault((i, length), []).append(j)
    return {(i, n): places for (i, n), places in found.items()
            if not any((a, b) != (i, n) and a <= i and a + b >= i + n for a, b in found)}  # fmt: skip


def test_as_by_hand_wherever_the_corpus_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    for seed in range(60):
        dice = random.Random(seed)
        monkeypatch.setattr(overlap, "PIECE", dice.choice([3, 7, 50]))
        corpus = [dice.randrange(6) for _ in range(100)]
        text = [dice.randrange(8) for _ in range(dice.randrange(1, 16))]
        found = {(each.start, each.length): each for each in overlaps(text, Row(corpus))}
        wanted = by_hand(text, corpus)
        assert found.keys() == wanted.keys()
        assert all(found[key].count == len(places) for key, places in wanted.items())
        assert all(set(found[key].places) <= set(places) for key, places in wanted.items())
        seen += len(wanted)
    assert seen > 50


def test_rare_tokens_come_before_many_tokens() -> None:
    common, rare = [1, 2, 3, 4], [7, 8, 9]
    corpus = [*common * 200, *rare, *common]
    found = overlaps([*common, 5, *rare], Row(corpus))
    assert [(each.start, each.length) for each in found] == [(5, 3), (0, 4)]
    assert found[0].bits == pytest.approx(3 * np.log2(len(corpus)))
    assert found[0].places == [800] and found[1].count == 201


def test_nothing_in_common_and_too_short() -> None:
    assert overlaps([1, 2, 3], Row([4, 5, 6, 7])) == []
    assert overlaps([1, 2], Row([1, 2, 3])) == [] and overlaps([1, 2, 3], Row([1, 2])) == []


def test_a_text_that_repeats_itself_in_a_corpus_that_does_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "PIECE", 1000)
    corpus = Row([1] * 20_000)
    found = overlaps([1] * 200, corpus)
    assert found and corpus.most <= 1000 + 1 + 200
