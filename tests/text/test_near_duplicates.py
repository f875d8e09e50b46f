"""Near-duplicates: planted at a known likeness they are found, and none is dropped that is not like another."""

import random

import numpy as np
import pytest

from gptwright.text import disk_numbers
from gptwright.text.near_duplicates import (
    HASHES,
    RECALL,
    NearDuplicates,
    banding,
    chance_to_meet,
    jaccard,
    minhash,
    shingles,
)


def planted(likeness: float, dice: random.Random) -> tuple[str, str]:
    """Two texts of 400 words, the second with its end replaced, so that their runs are alike by about that share."""
    words = [f"w{dice.randrange(10**6)}" for _ in range(400)]
    same = round(400 * 2 * likeness / (1 + likeness))
    return " ".join(words), " ".join([*words[:same], *(f"v{dice.randrange(10**6)}" for _ in range(400 - same))])


def found(texts: list[str], threshold: float = 0.8) -> dict[int, str]:
    """For each text that is dropped, the earlier one."""
    with NearDuplicates(threshold) as seen:
        return {place: seen.text(earlier) for place, text in enumerate(texts)
                if (earlier := seen.earlier(text)) is not None}  # fmt: skip


def exactly(one: str, other: str) -> float:
    """The share of runs of five words that both have, counted with strings."""
    sets = [{tuple(text.split()[i : i + 5]) for i in range(len(text.split()) - 4)} for text in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_likeness_is_what_one_counts_with_strings() -> None:
    dice = random.Random(1)
    for likeness in (0.1, 0.5, 0.9):
        one, other = planted(likeness, dice)
        assert jaccard(shingles(one), shingles(other)) == exactly(one, other)


@pytest.mark.parametrize("likeness", [0.81, 0.85, 0.9, 0.95])
def test_recall_of_what_is_planted(likeness: float) -> None:
    dice = random.Random(str(likeness))
    pairs = [pair for pair in (planted(likeness, dice) for _ in range(300)) if exactly(*pair) >= 0.8]
    dropped = found([text for pair in pairs for text in pair])
    assert len(pairs) > 250 and len(dropped) >= 0.98 * len(pairs)
    assert all(dropped[2 * i + 1] == pairs[i][0] for i in range(len(pairs)) if 2 * i + 1 in dropped)


@pytest.mark.parametrize("likeness", [0.0, 0.3, 0.5, 0.7, 0.77])
def test_nothing_else_is_dropped(likeness: float) -> None:
    dice = random.Random(str(likeness))
    assert found([text for _ in range(40) for text in planted(likeness, dice)]) == {}


@pytest.mark.parametrize("likeness", [0.3, 0.45, 0.6, 0.75])
def test_who_meets_follows_the_curve(likeness: float) -> None:
    """Digests agree in one band as often as theory says: 1 - (1 - J^rows)^bands, within four standard deviations."""
    dice, (bands, rows) = random.Random(5), banding(0.8)
    pairs = [planted(likeness, dice) for _ in range(300)]
    met = wanted = 0.0
    for pair in pairs:
        one, other = (minhash(text)[: bands * rows].reshape(bands, rows) for text in pair)
        met += bool((one == other).all(1).any())
        wanted += chance_to_meet(jaccard(*map(shingles, pair)), bands, rows)
    assert abs(met - wanted) < 4 * (300 * 0.25) ** 0.5


def test_digests_estimate_the_likeness() -> None:
    """The share of equal hashes has J's standard deviation, √(J(1 - J) / hashes), and no more."""
    dice = random.Random(7)
    errors = []
    for _ in range(200):
        one, other = planted(0.6, dice)
        same = float(np.mean(minhash(one) == minhash(other)))
        errors.append(same - jaccard(shingles(one), shingles(other)))
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 1.2 * (0.6 * 0.4 / HASHES) ** 0.5


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_leave_pairs_at_the_threshold_their_chance_and_others_none_to_spare(threshold: float) -> None:
    bands, rows = banding(threshold)
    assert bands * rows <= HASHES
    assert chance_to_meet(threshold, bands, rows) >= RECALL or rows == 1
    assert rows == HASHES or chance_to_meet(threshold, HASHES // (rows + 1), rows + 1) < RECALL


def test_the_first_of_many_stays_and_short_texts_are_compared_whole() -> None:
    assert found(["a b", "a b", "a c", "a b"]) == {1: "a b", 3: "a b"}
    assert found([]) == {} and found(["", ""]) == {1: ""}
    assert found(["人工智能的历史", "人工智能的歷史", "人工智能的历史"]) == {2: "人工智能的历史"}


def test_letter_case_and_signs_are_no_difference_but_in_what_is_all_signs() -> None:
    assert found(["The mill, the river", "the MILL the river!", "the mill the sea"]) == {1: "The mill, the river"}
    assert found(["* * *", "# # #", "* * *"]) == {2: "* * *"}


def test_how_many_are_almost_the_same_lies_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_numbers, "_PIECE", 2)
    texts = [" ".join(f"w{number}x{i}" for i in range(60)) for number in range(9)]
    with NearDuplicates(0.7) as near:
        for text in texts:
            near.earlier(text)
        for number in (3, 8, 1, 3, 8, 3):
            assert near.earlier(f"{texts[number]} more") == number
        assert near.cluster_sizes() == {3: 1, 2: 1, 1: 1}
        assert near.largest_clusters(2) == [(3, 3), (8, 2)]
