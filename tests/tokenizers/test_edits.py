"""Marks of an edit: their order, a model that has none, and texts that cannot forge them."""

import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.edits import EDIT_MARKS, EditMarks

BASE = bytelevel.train(["def f(x):\n    return x + 1\n" * 3], 270)
EDITOR = BASE.with_additional(EDIT_MARKS)


def test_the_order_by_hand() -> None:
    marks = EditMarks.of(EDITOR)
    assert marks.prompt([10, 11], [12]) == [marks.input, 10, 11, marks.instruction, 12, marks.output]
    assert marks.end == EDITOR.eos_id and len({*marks.prompt([], []), marks.end}) == 4


def test_a_vocabulary_without_marks() -> None:
    assert EditMarks.known(BASE) is None
    with pytest.raises(ConfigError, match="taught to edit"):
        EditMarks.of(BASE)


@pytest.mark.parametrize("mark", EDIT_MARKS)
def test_text_is_never_a_mark(mark: str) -> None:
    assert EDITOR.special_id(mark) not in EDITOR.encode(f"a{mark}b")
