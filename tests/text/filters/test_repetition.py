from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.filters.repetition import REPEATED, TOP, repetition
from gptwright.text.filters.words import split_words


def counted(words: list[str], characters: int) -> dict[str, float]:
    """The same figures, word by word."""
    found: dict[str, float] = {}
    for size in TOP:
        runs = Counter(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))
        run, count = runs.most_common(1)[0] if runs else ("", 0)
        found[f"top_{size}_gram"] = len(run) * count / characters
    for size in REPEATED:
        seen: set[tuple[str, ...]] = set()
        place = total = 0
        while place + size <= len(words):
            run = tuple(words[place : place + size])
            total += sum(map(len, run)) if run in seen else 0
            place += size if run in seen else 1
            seen.add(run)
        found[f"duplicate_{size}_grams"] = total / characters
    return found


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=60))
def test_it_is_what_one_counts_word_by_word(words: list[str]) -> None:
    text = " ".join(words) or " "
    assert repetition(split_words(text), len(text)) == pytest.approx(counted(words, len(text)))


def test_by_hand() -> None:
    text = "one two one two one three"
    found = repetition(split_words(text), len(text))
    assert found["top_2_gram"] == 2 * len("one two") / len(text)
    assert found["top_3_gram"] == 2 * len("one two one") / len(text)
    assert found["duplicate_5_grams"] == 0
    assert repetition(split_words(""), 0)["top_2_gram"] == 0
