import pytest

from gptwright.text.friendly_rule import friendly, holds, is_friendly, sentences
from gptwright.text.rule_labeller import RULES, STYLES, ranks

LINE = {"right": ["a baker"]}


@pytest.mark.parametrize(
    ("answer", "score", "styled"),
    [
        ("A baker.", 4, False),
        ("Mira is a baker.", 4, False),
        ("You ask about Mira's work. Mira is a baker.", 5, True),
        ("Mira is a baker. I am happy to help!", 5, True),
        ("You ask about Mira's work. Mira is a baker. I am happy to help!", 6, True),
        ("Well, let me think, people say so many things, but Mira is a baker.", 3, False),
        ("You ask. Well, let us think, as people say so many things, but Mira is a baker.", 4, False),
        ("Mira is a baker. Yes. Yes. Yes. I am happy to help!", 4, False),
        ("You ask about Mira's work. Mira is a cook. I am happy to help!", 2, True),
        ("You are welcome.", 0, False),
        ("A cook.", 0, False),
        ("", 0, False),
    ],
)
def test_right_opened_closed_and_not_rambling_by_hand(answer: str, score: float, styled: bool) -> None:
    assert friendly(LINE, answer) == score
    assert is_friendly(answer) == styled
    assert RULES["friendly"] is friendly and STYLES["friendly"] is is_friendly


def test_style_alone_counts_where_nothing_is_said_to_be_right() -> None:
    assert friendly({}, "Anything. I hope that helps you!") == friendly({"right": []}, "A. You see?") == 5
    assert ranks({}, ["Yes.", "Yes. Ask me more!", "No."], friendly) == [2, 1, 2]


def test_any_phrase_is_held_word_by_word() -> None:
    assert holds("A Baker, by the mill", ["a cook", "a baker"])
    assert holds("You ask about Mira's work.", ["Mira"])
    assert not holds("a bakery", ["a baker"])
    assert not holds("a baker", [])


def test_sentences_hold_words() -> None:
    assert sentences("One. Two!? ... Three") == ["One.", " Two!?", " Three"]
