"""Near-duplicates: planted at a known likeness they are found, and none is dropped that is not like another."""

import random

import pytest

from gptwright.text.decontaminate import Contamination, runs
from gptwright.text.near_duplicates import BANDS, ROWS, jaccard, near_duplicates, shingles


def planted(likeness: float, dice: random.Random) -> tuple[str, str]:
    """Two texts of 400 words, the second with its end replaced, so that their runs are alike by about that share."""
    words = [f"w{dice.randrange(10**6)}" for _ in range(400)]
    same = round(400 * 2 * likeness / (1 + likeness))
    return " ".join(words), " ".join([*words[:same], *(f"v{dice.randrange(10**6)}" for _ in range(400 - same))])


@pytest.mark.parametrize("likeness", [0.85, 0.9, 0.95])
def test_recall_of_what_is_planted(likeness: float) -> None:
    dice = random.Random(str(likeness))
    pairs = [planted(likeness, dice) for _ in range(60)]
    found = near_duplicates([text for pair in pairs for text in pair])
    assert all(jaccard(*map(shingles, pair)) >= 0.8 for pair in pairs)
    assert found == {2 * i + 1: 2 * i for i in range(60)}


@pytest.mark.parametrize("likeness", [0.0, 0.3, 0.5, 0.7])
def test_nothing_else_is_dropped(likeness: float) -> None:
    dice = random.Random(str(likeness))
    assert near_duplicates([text for _ in range(40) for text in planted(likeness, dice)]) == {}


def test_who_meets_follows_the_curve() -> None:
    """With no threshold, a pair is found as often as it meets in a band: 1 - (1 - J^rows)^bands."""
    dice = random.Random(5)
    pairs = [planted(0.45, dice) for _ in range(200)]
    met = sum(near_duplicates(list(pair), threshold=0.0, seed=number) == {1: 0} for number, pair in enumerate(pairs))
    wanted = sum(1 - (1 - jaccard(*map(shingles, pair)) ** ROWS) ** BANDS for pair in pairs)
    assert abs(met - wanted) < 4 * (200 * 0.25) ** 0.5


def test_the_first_of_many_stays_and_short_texts_are_compared_whole() -> None:
    assert near_duplicates(["a b", "a b", "a c", "a b"]) == {1: 0, 3: 0}
    assert near_duplicates([]) == {} and near_duplicates(["", ""]) == {1: 0}
    assert jaccard(shingles("a b c d e f"), shingles("a b c d e f")) == 1.0


def test_thirteen_words_of_a_test_are_found() -> None:
    question = " ".join(f"word{i}" for i in range(20))
    asked = Contamination([question, "too short to say"])
    planted_run = "before " + " ".join(f"Word{i}," for i in range(3, 16)) + " behind"
    assert asked.found(planted_run) == " ".join(f"word{i}" for i in range(3, 16))
    assert asked.found(" ".join(f"word{i}" for i in range(3, 15)) + " behind") is None
    assert asked.found("too short to say") is None and runs("one two") == set()
