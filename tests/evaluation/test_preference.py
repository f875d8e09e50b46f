import pytest

from gptwright.evaluation.preference import distinct_pairs, win_rate


def test_wins_ties_and_losses_by_hand() -> None:
    found = win_rate(["aaa", "b", "cc", ""], ["a", "b", "ccc", "d"], judge=len)
    assert (found.value, found.count) == (1.5 / 4, 4)
    assert found.low < found.value < found.high


def test_against_itself_it_wins_half() -> None:
    assert win_rate(["a", "bb"], ["a", "bb"], judge=len).value == 0.5


def test_every_prompt_needs_both_answers() -> None:
    with pytest.raises(ValueError, match="zip"):
        win_rate(["a"], ["a", "b"], judge=len)


def test_distinct_pairs_by_hand() -> None:
    assert distinct_pairs(["the cat sat", "the cat ran"]) == 3 / 4
    assert distinct_pairs(["a a a"]) == 1 / 2
    assert distinct_pairs(["one", ""]) == 0.0
