"""What was there before is told with its place; files of prompts need no answers."""

from gptwright.text.lint.across_lines import DUPLICATE, EXCHANGE, IN_BOTH_SPLITS, UNANSWERED, AcrossLines, Unanswered
from gptwright.text.lint.turns import Turn

ASKED, ANSWER = Turn("user", "Why?"), Turn("assistant", "Because it is so, and has been for long. " * 6)


def test_lines_that_were_there_before() -> None:
    across = AcrossLines()
    assert across.again("a b", "1", "train") is None
    assert across.again("a  b\n", "2", "train") == (DUPLICATE, "as 1")
    assert across.again("a b", "3", "test") == (IN_BOTH_SPLITS, "as 1")
    assert across.again("a b", "4") == (DUPLICATE, "as 1")
    assert across.again(" ", "5") is None is across.again(" ", "6")


def test_exchanges_of_other_conversations() -> None:
    across = AcrossLines()
    assert across.exchange({"messages": [ASKED, ANSWER, ASKED, ANSWER]}, "1") is None
    assert across.exchange({"prompt": [ASKED, ANSWER]}, "2") is None
    assert across.exchange({"messages": [Turn("system", "Be kind."), ASKED, ANSWER]}, "3") == (EXCHANGE, "as 1: Why?")
    assert across.exchange({"messages": [ASKED, Turn("assistant", "No.")]}, "4") is None


def test_questions_without_an_answer() -> None:
    for answered, found in ((2, [(UNANSWERED, "file:9", "the last message")]), (1, [])):
        open_ones = Unanswered()
        for number in range(answered):
            open_ones.note({}, {"messages": [ASKED, ANSWER]}, f"file:{number}")
        open_ones.note({}, {"messages": [ASKED], "prompt": [ASKED]}, "file:9")
        open_ones.note({"answer": "x"}, {"messages": [ASKED]}, "file:10")
        assert list(open_ones.findings()) == found
