import pytest

from gptwright.evaluation.preference import distinct_pairs, win_rate


def test_wins_ties_and_losses_by_hand() -> None:
    found = win_rate([3, 1, 2, 0], [1, 1, 3, 1], prompts="abcd")
    assert (found.value, found.count) == (1.5 / 4, 4)
    assert found.low < found.value < found.high


def test_against_itself_it_wins_half() -> None:
    assert win_rate([1, 2], [1, 2], prompts="ab").value == 0.5


def test_every_prompt_needs_both_answers() -> None:
    with pytest.raises(ValueError, match="zip"):
        win_rate([1], [1, 2], prompts="ab")


def test_a_prompt_asked_ten_times_is_no_ten_prompts() -> None:
    new, old, names = [1.0, 0.0, 1.0, 1.0] * 5, [0.0, 1.0, 0.0, 0.0] * 5, [str(n) for n in range(20)]
    once, often = win_rate(new, old, names), win_rate(new * 10, old * 10, names * 10)
    assert once.value == often.value and often.count == 200
    assert often.high - often.low >= once.high - once.low


def test_distinct_pairs_by_hand() -> None:
    assert distinct_pairs(["the cat sat", "the cat ran"]) == 3 / 4
    assert distinct_pairs(["a a a"]) == 1 / 2
    assert distinct_pairs(["one", ""]) == 0.0
