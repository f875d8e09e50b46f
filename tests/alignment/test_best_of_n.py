"""Best of n: by hand, against all subsets one by one, and what one answer and all answers must give."""

import random
from itertools import combinations
from math import log
from statistics import mean

import pytest

from gptwright.alignment.best_of_n import Answered, best_of, kl_bound, sizes, wins
from gptwright.alignment.prompts import Prompt
from gptwright.text.jsonl import Line


def test_by_hand() -> None:
    assert best_of(2, [1, 2, 3], [1, 2, 3]) == pytest.approx((2 + 3 + 3) / 3)
    assert best_of(2, [1, 2, 3], [30, 20, 10]) == pytest.approx((20 + 10 + 10) / 3)
    assert wins(2, [1, 2, 3], [1, 2, 3]) == pytest.approx(0.75)
    assert wins(2, [1, 2, 3], [30, 20, 10]) == pytest.approx(0.25)
    assert wins(3, [1, 2, 3], [1, 2, 3]) == pytest.approx(5 / 6)
    assert [kl_bound(n) for n in (1, 2, 4)] == pytest.approx([0, log(2) - 0.5, log(4) - 0.75])


def over_subsets(n: int, scores: list[float], values: list[float]) -> tuple[float, float]:
    """The same two figures, subset by subset, and whichever of the subset came first."""
    found: list[float] = []
    won: list[float] = []
    for subset in combinations(range(len(scores)), n):
        best = values[max(subset, key=lambda i: scores[i])]
        found.append(best)
        won += [float(best > values[first]) + 0.5 * (best == values[first]) for first in subset]
    return mean(found), mean(won)


@pytest.mark.parametrize("seed", range(6))
def test_against_all_subsets(seed: int) -> None:
    dice = random.Random(seed)
    levels = 3 if seed % 2 else 1000  # with ties, and without
    scores, values = ([float(dice.randrange(levels)) for _ in range(7)] for _ in range(2))
    for n in range(1, 8):
        assert (best_of(n, scores, values), wins(n, scores, values)) == pytest.approx(over_subsets(n, scores, values))
        assert (best_of(n, scores, scores), wins(n, scores, scores)) == pytest.approx(over_subsets(n, scores, scores))


def test_one_answer_is_the_mean_and_wins_half() -> None:
    scores, values = [3.0, 1.0, 1.0, 2.0], [5.0, -1.0, 4.0, 0.0]
    assert best_of(1, scores, values) == pytest.approx(mean(values))
    assert wins(1, scores, values) == 0.5
    assert kl_bound(1) == 0


def test_all_answers_give_the_one_that_is_kept() -> None:
    scores, gold = [1.0, 3.0, 3.0, 2.0], [0.0, 7.0, 9.0, 1.0]
    answered = Answered(
        prompt=Prompt(Line({}, ""), [], [1]), answers="abcd", scores=scores, ended=[True] * 4, gold=gold
    )
    assert answered.best(4) == 1 and answered.best(1) == 0
    assert best_of(4, scores, gold) == gold[answered.best(4)]


def test_equal_scores_choose_nothing() -> None:
    assert best_of(3, [2.0] * 4, [2.0] * 4) == pytest.approx(2) and wins(3, [2.0] * 4, [2.0] * 4) == pytest.approx(0.5)


def test_many_answers_are_counted_exactly() -> None:
    scores = [float(i) for i in range(1000)]
    for n in (1, 500, 1000):
        assert best_of(n, scores, scores) == pytest.approx(n * 1001 / (n + 1) - 1)


def test_powers_of_two_and_all() -> None:
    assert sizes(2) == [1, 2] and sizes(6) == [1, 2, 4, 6] and sizes(8) == [1, 2, 4, 8]
