"""The programs that check: each family by hand, on answers that obey, that nearly obey, and that try to cheat."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.text.instruction_rules import FAMILIES, instructions
from gptwright.text.rule_labeller import RULES

ONE, TWO = {"kind": "sentences", "count": 1}, {"kind": "sentences", "count": 2}
SHORT = {"kind": "short", "count": 4}
THEN, NO_THE = {"kind": "begin", "word": "Then"}, {"kind": "avoid", "word": "the"}

OBEY: list[tuple[dict[str, Any], str]] = [
    ({"kind": "capitals"}, "SHE WENT HOME."),
    ({"kind": "capitals"}, "  ÉTÉ À PARIS, 1815!\n"),
    ({"kind": "capitals"}, "ΚΑΙ ΤΟΤΕ ΕΦΥΓΕ"),
    (ONE, "She went home."),
    (ONE, "She paid 3.50 at once"  "!"),
    (ONE, "“She went home.”"),
    (TWO, "She went home. He stayed!"),
    (TWO, 'He asked: "Why so?" She wept...'),
    (SHORT, "She went home again."),
    (SHORT, "Don't be so well-known"),
    ({"kind": "question"}, "Did she go?"),
    ({"kind": "question"}, "“Did she go?”"),
    ({"kind": "question"}, "She went. Did he stay? "),
    (THEN, "Then she went."),
    (THEN, "“THEN she went.”"),
    (NO_THE, "Then there was another."),
    (NO_THE, "She went home."),
    ({"kind": "list"}, "- a cat\n- a dog\n- a horse"),
    ({"kind": "list"}, "\n- one\n\n  - two\n- three\n"),
    ({"kind": "quotes"}, '"She went home."'),
    ({"kind": "quotes"}, " “She went home.” "),
]  # fmt: skip
FAIL: list[tuple[dict[str, Any], str]] = [
    ({"kind": "capitals"}, "SHE WENT Home."),
    ({"kind": "capitals"}, "1815 1816 1817"),
    ({"kind": "capitals"}, "STRAßE UND WEG"),
    (ONE, "She went home"),
    (ONE, "She went home. He stayed."),
    (ONE, "She went home. He"),
    (ONE, "Mr. Darcy went home."),
    (TWO, "She went home."),
    (TWO, "One went. Two went. Three went."),
    (SHORT, "She went home again today."),
    (SHORT, "She_went_home_again_at once."),
    ({"kind": "question"}, "Did she go? Yes."),
    ({"kind": "question"}, "Did she go?!"),
    (THEN, "And then she went."),
    (THEN, "Thenceforth she went home."),
    (THEN, "Then-current men went."),
    (NO_THE, "She went to THE house."),
    (NO_THE, "“The” is a word."),
    ({"kind": "list"}, "- a cat\n- a dog"),
    ({"kind": "list"}, "- a\n- b\n- c\n- d"),
    ({"kind": "list"}, "- a cat - a dog - a horse"),
    ({"kind": "list"}, "- a cat here\n- \n- a dog"),
    ({"kind": "list"}, "-a cat\n-a dog\n-a horse"),
    ({"kind": "list"}, "Here are three:\n- a\n- b\n- c"),
    ({"kind": "quotes"}, '"She went home.'),
    ({"kind": "quotes"}, '"She went," he said, "home."'),
    ({"kind": "quotes"}, "'She went home.'"),
    ({"kind": "quotes"}, '“She went home."'),
]


@pytest.mark.parametrize(("constraint", "answer"), OBEY)
def test_answers_that_obey(constraint: dict[str, Any], answer: str) -> None:
    assert instructions({"constraints": [constraint]}, answer) == 1


@pytest.mark.parametrize(("constraint", "answer"), FAIL)
def test_answers_that_do_not(constraint: dict[str, Any], answer: str) -> None:
    assert instructions({"constraints": [constraint]}, answer) == 0


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("answer", ["", " \n ", "?", '""', "- \n- \n- ", "...", "A?", "🙂 🙂 🙂", "__ __ __"])
def test_an_answer_that_says_nothing_meets_nothing(kind: str, answer: str) -> None:
    assert instructions({"constraints": [{"kind": kind, "word": "the", "count": 1}]}, answer) == 0


def test_the_share_of_several() -> None:
    asked = {"constraints": [{"kind": "question"}, {"kind": "capitals"}, SHORT, NO_THE]}
    assert instructions(asked, "DID SHE GO?") == 1
    assert instructions(asked, "Did THE man go?") == 0.5
    assert RULES["instructions"] is instructions


@given(answer=st.text(), kind=st.sampled_from(list(FAMILIES)))
def test_any_text_gets_a_share(answer: str, kind: str) -> None:
    assert instructions({"constraints": [{"kind": kind, "word": "a", "count": 1}]}, answer) in (0, 1)


def test_lines_that_ask_nothing_or_what_nobody_checks() -> None:
    with pytest.raises(InputError, match='needed "constraints"'):
        instructions({"messages": []}, "She went home.")
    with pytest.raises(InputError, match="Did you mean 'capitals'"):
        instructions({"constraints": [{"kind": "capital"}]}, "She went home.")
