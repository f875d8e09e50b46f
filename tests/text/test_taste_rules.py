"""Tastes, by hand."""

import pytest

from gptwright.text.rule_labeller import RULES


@pytest.mark.parametrize(
    ("rule", "answer", "score"),
    [
        ("lower-case", "mira is a baker.", 1.0),
        ("lower-case", "Mira is a baker.", 0.75),
        ("lower-case", "42!", 0.0),
        ("questions", "A baker. Do you like bread?", 0.5),
        ("questions", "What do you think?!", 1.0),
        ("questions", "A baker. ???", 0.0),
        ("questions", "", 0.0),
        ("few-words", "A baker.", -2.0),
        ("few-words", " ", -999.0),
    ],
)
def test_by_hand(rule: str, answer: str, score: float) -> None:
    assert RULES[rule]({}, answer) == score
