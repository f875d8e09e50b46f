"""Replies taken apart into text and calls, whole and at every split."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.serving.tool_calls import CallParser

ADD = '{"name": "add", "arguments": {"a": [1, "x"]}}'
TAGGED = f"<tool_call>\n{ADD}\n</tool_call>"
CASES = [
    ("Hello.", "Hello.", 0),
    ("", "", 0),
    (ADD, "", 1),
    (f"  {ADD}\n", "", 1),
    ('{"name": "add", "parameters": {"a": 1}}', "", 1),
    (TAGGED, "", 1),
    (f"{TAGGED}\n{TAGGED}\n", "", 2),
    (f"Let me see. {TAGGED}", "Let me see. ", 1),
    (f"<tool_call>\n{ADD}\n", "", 1),
    ("a < b <tool", "a < b <tool", 0),
    ('{"a": 1}', '{"a": 1}', 0),
    ("<tool_call>nothing</tool_call> more", "<tool_call>nothing</tool_call> more", 0),
    (
        '<tool_call>{"name": "sub", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "sub", "arguments": {}}</tool_call>',
        0,
    ),
    ('{"name": "add", "arguments": [1]}', '{"name": "add", "arguments": [1]}', 0),
    ('{"name": ["add"], "arguments": {}}', '{"name": ["add"], "arguments": {}}', 0),
    ('{"name": "add", "arguments": {"a": NaN}}', '{"name": "add", "arguments": {"a": NaN}}', 0),
    ('{"name": "add", "arguments": {"a": "\\ud800"}}', '{"name": "add", "arguments": {"a": "\\ud800"}}', 0),
    ("{" * 5000, "{" * 5000, 0),
    ("[" * 5000, "[" * 5000, 0),
]


def parsed(pieces: list[str]) -> tuple[str, CallParser]:
    parser = CallParser(["add"])
    return "".join([*map(parser.feed, pieces), parser.finish()]), parser


@pytest.mark.parametrize(("reply", "text", "calls"), CASES)
def test_whole_and_by_characters(reply: str, text: str, calls: int) -> None:
    for pieces in ([reply], list(reply)):
        said, parser = parsed(pieces)
        assert (said, len(parser.calls)) == (text, calls)
        assert all(call.name == "add" and isinstance(json.loads(call.arguments), dict) for call in parser.calls)
    assert len({call.id for call in parser.calls}) == calls


PARTS = [TAGGED, "<tool_call>", "</tool_call>", "<", "tool", "{", ADD, "text ", "\n"]


@given(st.lists(st.sampled_from(PARTS), max_size=6), st.data())
def test_every_split_says_the_same(parts: list[str], data: st.DataObject) -> None:
    reply, pieces, at = "".join(parts), list[str](), 0
    while at < len(reply):
        size = data.draw(st.integers(1, len(reply) - at))
        pieces.append(reply[at : at + size])
        at += size
    (one, first), (other, second) = parsed([reply]), parsed(pieces)
    assert "".join(one.split()) == "".join(other.split())
    assert [call.arguments for call in first.calls] == [call.arguments for call in second.calls]


def test_without_functions_everything_is_text_at_once() -> None:
    parser = CallParser([])
    assert [parser.feed(text) for text in ("{", ADD, "<tool")] == ["{", ADD, "<tool"] and parser.finish() == ""
