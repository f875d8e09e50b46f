from typing import Any

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import Line
from gptwright.text.rule_field import rule_field
from gptwright.text.rule_labeller import RULES, check_rule


def test_a_field_of_its_kind() -> None:
    assert rule_field({"sum": 0}, "sum", 12) == 0
    assert rule_field({"word": "a"}, "word", "the") == "a"


@pytest.mark.parametrize("value", [None, "", [], "12", 1.5, True, {}])
def test_anything_else_is_refused_with_where_it_stands(value: Any) -> None:
    with pytest.raises(InputError, match=r'"sum" beside a prompt.* on line 3 of x\.\n  Write {"sum": 12}'):
        rule_field(Line({"sum": value}, "line 3 of x"), "sum", 12)


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("arithmetic", {"sum": None}),
        ("arithmetic", {"sum": "12"}),
        ("length-target", {"words": None}),
        ("instructions", {"constraints": []}),
        ("instructions", {"constraints": [{"kind": "shout"}]}),
        ("instructions", {"constraints": [{"kind": "short"}]}),
        ("instructions", {"constraints": [{"kind": "avoid", "word": ""}]}),
        ("instructions", {"constraints": ["short"]}),
        ("unit-tests", {"examples": None}),
        ("unit-tests", {"examples": ["double(2)"]}),
    ],
)
def test_what_a_rule_lacks_is_said_before_there_are_answers(rule: str, line: dict[str, Any]) -> None:
    good = {"messages": [{"role": "user", "content": "def f():"}], "sum": 3, "words": 3,
            "constraints": [{"kind": "short", "count": 3}], "examples": [["f()", "3"]]}  # fmt: skip
    with pytest.raises(InputError):
        check_rule(rule, [good | line])


@pytest.mark.parametrize("rule", sorted(RULES.keys() - {"unit-tests"}))
def test_lines_that_lack_nothing(rule: str) -> None:
    check_rule(rule, [{"messages": [], "sum": 3, "words": 3, "constraints": [{"kind": "short", "count": 3}]}] * 2)
