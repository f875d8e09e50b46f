from collections.abc import Mapping
from math import inf, nan

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.rule_labeller import FEWEST_LETTERS, RULES, plain_words, ranks


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("The cat sat on a mat and we ran.", -(3 + 3 + 3 + 2 + 1 + 3 + 3 + 2 + 3) / 9),
        ("It's one of 12 don't-know days, isn't it, été?", -(3 + 3 + 2 + 4 + 4 + 4 + 4 + 2 + 3) / 9),
        (" ".join(["ab"] * (FEWEST_LETTERS // 2)), -2.0),
        (" ".join(["ab"] * (FEWEST_LETTERS // 2 - 1)), -99.0),
        ("臣闻天子之职莫大于礼，礼莫大于分，分莫大于名。", -(10 + 5 + 5) / 3),
        ("1 2 3 4 5 6 7 8 9 10", -99.0),
        ("", -99.0),
    ],
)
def test_plain_words_by_hand(text: str, score: float) -> None:
    assert plain_words({}, text) == pytest.approx(score)
    assert RULES["plain-words"] is plain_words


def test_ranks_are_dense_and_near_scores_tie() -> None:
    scores = {"a": 0.5, "b": 0.501, "c": 2.0, "d": -1.0, "e": 0.49}
    assert ranks({}, list("abcde"), lambda _, answer: scores[answer]) == [2, 2, 1, 4, 3]
    assert ranks({}, [], lambda _, answer: len(answer)) == []
    assert ranks({}, list("ab"), lambda _, answer: -inf if answer == "a" else 0.0) == [2, 1]
    with pytest.raises(InputError, match="NaN for the answer 'b'"):
        ranks({}, list("ab"), lambda _, answer: nan if answer == "b" else 0.0)


def test_a_rule_reads_the_prompts_line() -> None:
    def length(line: Mapping[str, int], answer: str) -> float:
        return -abs(len(answer.split()) - line["words"])

    assert ranks({"words": 2}, ["a", "a b", "a b c"], length) == [2, 1, 2]
