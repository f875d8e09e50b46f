import random
from collections.abc import Sequence

import pytest
from scipy.stats import kendalltau

from gptwright.alignment.labellers import Agreement
from gptwright.foundations.errors import InputError
from gptwright.store.ranking_lines import Ranking


def ranked(labeller: str, ranks: list[int], prompt: str = "q", answers: Sequence[str] = "abc") -> Ranking:
    return Ranking([{"role": "user", "content": prompt}], [*answers], ranks, labeller=labeller)


def test_by_hand() -> None:
    found = Agreement.of([ranked("Ann", [1, 2, 3]), ranked("Bob", [1, 3, 2], " Q "), ranked("Cy", [2, 2, 1])])
    # Ann and Bob: ab, ac alike, bc not. Cy says nothing of ab, is against Ann twice, once against and once with Bob.
    assert found.pairs == {"Ann": 5, "Bob": 5, "Cy": 4} and found.alike == {"Ann": 2, "Bob": 3, "Cy": 1}
    assert found.tau("Cy") == -0.5


def test_of_two_it_is_kendalls_tau_wherever_the_answers_stand() -> None:
    for ranks in ([1, 2, 3, 4], [4, 1, 3, 2], [2, 4, 1, 3]):
        expected = kendalltau([1, 2, 3, 4], ranks).statistic
        moved = [ranks[i] for i in (2, 0, 3, 1)]
        found = Agreement.of([ranked("Ann", [1, 2, 3, 4], answers="abcd"), ranked("Bob", moved, answers="cadb")])
        assert found.tau("Ann") == found.tau("Bob") == pytest.approx(expected)


def test_the_share_of_wrong_labels_is_found_again() -> None:
    dice = random.Random(3)
    lines = [ranked(name, [1, 2] if dice.random() > 0.15 else [2, 1], str(number), "ab")
             for number in range(3000) for name in ("Ann", "Bob", "Cy")]  # fmt: skip
    assert Agreement.of(lines).noise == pytest.approx(0.15, abs=0.01)
    assert Agreement.of(lines[::3]).noise is None, "one labeller alone"


def test_who_agrees_counts_more_and_strangers_as_usual() -> None:
    lines = [ranked(name, ranks) for name, ranks in (("Ann", [1, 2, 3]), ("Bob", [1, 2, 3]), ("Cy", [3, 2, 1]))]
    lines.append(ranked("Di", [1, 2], "r", "ab"))
    more = [ranked(name, [1, 2, 3], "s") for name in ("Ann", "Bob")]
    ann, bob, cy, di = Agreement.of([*lines, *more]).weights(lines)
    assert ann == bob > di > cy == 0 and ann + bob + cy + di == pytest.approx(4)
    assert di == pytest.approx((ann + bob + cy) / 3)


@pytest.mark.parametrize(
    ("lines", "got"),
    [
        ([ranked("Ann", [1, 2, 3]), ranked("Ann", [1, 2, 3])], "no pair that two of them judged"),
        ([ranked("Ann", [1, 2, 3]), ranked("", [3, 2, 1])], "agree no more than by chance"),
    ],
)
def test_nobody_to_agree_with(lines: list[Ranking], got: str) -> None:
    with pytest.raises(InputError, match=got):
        Agreement.of(lines).weights(lines)
