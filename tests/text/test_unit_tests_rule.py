"""Tests as reward: an answer is run below its prompt, and passes or not."""

from typing import Any

import pytest

from gptwright.foundations.errors import InputError, ResourceError
from gptwright.sandbox import sandbox
from gptwright.text import unit_tests_rule
from gptwright.text.rule_labeller import RULES, ranks, scores_of
from gptwright.text.unit_tests_rule import unit_tests

HEAD = 'def double(x):\n    """Twice x."""\n'


def line(head: str = HEAD, **more: Any) -> dict[str, Any]:
    examples = [["double(2)", "4"], ["double('a')", "'aa'"]]
    return {"messages": [{"role": "user", "content": head}], "examples": examples} | more


ANSWERS = ["    return 2 * x", "return x * 2\n", "y = x\n    return y + y", "return x", "return", "print(4)",
           "retrun x", "import os\n    os._exit(0)", ""]  # fmt: skip


@pytest.mark.sandbox
def test_answers_pass_or_fail() -> None:
    """Blanks around them do not count; an early exit is no pass."""
    assert RULES["unit-tests"] is unit_tests
    assert scores_of(unit_tests, [line()] * 9, ANSWERS) == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert ranks(line(), ANSWERS[2:5], unit_tests) == [1, 2, 2]


@pytest.mark.sandbox
def test_what_stands_beside_a_method_s_depth_and_one_run_for_equal_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = 'class A:\n    def double(self, x):\n        """Twice x."""\n'
    method = line(inner, examples=[["A().double(2)", "4"]])
    assert unit_tests(method, "return TWO * x") == 0 and unit_tests(method | {"beside": "TWO = 2"}, "return TWO * x")
    monkeypatch.setattr(unit_tests_rule, "_sandbox", lambda: pytest.fail("a program that is known is not run again"))
    assert unit_tests(method, "return TWO * x") == 0


def test_without_examples_or_a_sandbox_nothing_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="double"):
        unit_tests(line(examples=[]), "return x")
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    monkeypatch.setattr(unit_tests_rule, "_sandbox", sandbox.Sandbox)
    with pytest.raises(ResourceError, match="apt install bubblewrap"):
        unit_tests(line(), "return x + x  # never run before")
