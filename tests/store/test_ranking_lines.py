"""Lines of ranked answers: ours, and those of others."""

import json
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import InputError
from gptwright.store.ranking_lines import Ranking, read_rankings
from gptwright.tokenizers.chat_templates.chat import Message

ASK: list[Message] = [{"role": "user", "content": "q"}]


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    "line",
    [
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"prompt": [turn("user", "q")], "chosen": [turn("assistant", "good")], "rejected": [turn("assistant", "bad")]},
        {
            "prompt": "q",
            "chosen": [turn("user", "q"), turn("assistant", "good")],
            "rejected": [turn("user", "q"), turn("assistant", "bad")],
        },
        {
            "chosen": [turn("user", "q"), turn("assistant", "good")],
            "rejected": [turn("user", "q"), turn("assistant", "bad")],
        },
        {"prompt": "q", "answers": ["good", "bad"], "ranks": [1, 2], "labeller": "Ann"},
        {"messages": ASK, "answers": ["good", "bad"], "ranks": [1, 2]},
    ],
)
def test_our_files_and_those_of_others_say_the_same(tmp_path: Path, line: dict[str, Any]) -> None:
    assert read_rankings(write(tmp_path / "r.jsonl", line)) == [
        Ranking(ASK, ["good", "bad"], [1, 2], labeller=line.get("labeller", ""))
    ]


def test_ties_many_answers_and_the_split(tmp_path: Path) -> None:
    line = {"prompt": "q", "answers": ["a", "b", "c", "d"], "ranks": [1, 2, 2, 3], "split": "heldout"}
    assert read_rankings(write(tmp_path / "r.jsonl", line)) == [
        Ranking(ASK, ["a", "b", "c", "d"], [1, 2, 2, 3], "heldout")
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"prompt": "q"}, "'answers' and 'ranks' in line 2"),
        ({"prompt": "q", "answers": ["a", "b"]}, "'answers' and 'ranks' in line 2"),
        ({"prompt": "q", "answers": ["a"], "ranks": [1]}, "two or more answers .* line 2"),
        ({"prompt": "q", "answers": ["a", "b"], "ranks": [1]}, "line 2.*; got 2 and 1"),
        ({"prompt": "q", "answers": ["a", 3], "ranks": [1, 2]}, "two or more answers"),
        ({"prompt": "q", "answers": ["a", "b"], "ranks": [0, 1]}, "whole numbers from 1 in line 2"),
        ({"prompt": "q", "answers": ["a", "b"], "ranks": [1, 1.5]}, "whole numbers from 1 in line 2"),
        ({"answers": ["a", "b"], "ranks": [1, 2]}, "a list of messages in line 2"),
        ({"prompt": "q", "chosen": "good"}, "line 2"),
        ({"messages": [], "answers": ["a", "b"], "ranks": [1, 2]}, "a list of messages in line 2"),
        ({"chosen": "good", "rejected": "bad"}, "a list of messages in line 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: dict[str, Any], said: str) -> None:
    good = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    with pytest.raises(InputError, match=said):
        read_rankings(write(tmp_path / "r.jsonl", good, line))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"messages": [*ASK, turn("assistant", "draft")], "answers": ["a", "b"], "ranks": [1, 2]},
            "ends with its answer",
        ),
        ({"prompt": [*ASK, turn("assistant", "draft")], "chosen": "a", "rejected": "b"}, "ends with its answer"),
        (
            {"prompt": "q", "chosen": [*ASK, turn("user", "more")], "rejected": "b"},
            "'chosen' of line 1 .* words of the user",
        ),
        ({"prompt": "q", "chosen": "a", "rejected": [*ASK]}, "'rejected' of line 1 .* words of the user"),
        ({"prompt": "q", "chosen": "a", "rejected": None}, "'rejected' of line 1"),
        ({"prompt": "q", "chosen": None, "rejected": "b"}, "'chosen' of line 1"),
        (
            {
                "chosen": [turn("user", "q1"), turn("assistant", "a")],
                "rejected": [turn("user", "q2"), turn("assistant", "b")],
            },
            "different prompts",
        ),
        (
            {
                "chosen": [*ASK, turn("assistant", "h"), turn("user", "r"), turn("assistant", "a")],
                "rejected": [turn("user", "r"), turn("assistant", "b")],
            },
            "different prompts",
        ),
        (
            {"prompt": "r", "chosen": [*ASK, turn("assistant", "a")], "rejected": [*ASK, turn("assistant", "b")]},
            "the prompt that 'chosen' of line 1",
        ),
        (
            {"prompt": "r", "messages": ASK, "answers": ["a", "b"], "ranks": [1, 2]},
            "'messages' and 'prompt' that differ",
        ),
        ({"prompt": "q", "answers": ["a", "b"], "ranks": [True, 2]}, "whole numbers"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "split": "hold"}, "split in line 1"),
    ],
)
def test_roles_and_prompts_that_cannot_be(tmp_path: Path, line: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"(?s){said}"):
        for ranking in read_rankings(write(tmp_path / "r.jsonl", line)):
            _ = ranking.split


SYSTEM = turn("system", "be")


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        (
            {
                "prompt": "q2",
                "chosen": [*ASK, turn("assistant", "h"), turn("user", "q2"), turn("assistant", "good")],
                "rejected": [*ASK, turn("assistant", "h"), turn("user", "q2"), turn("assistant", "bad")],
            },
            [*ASK, turn("assistant", "h"), turn("user", "q2")],
        ),
        (
            {
                "prompt": "q ",
                "chosen": [SYSTEM, *ASK, turn("assistant", "good")],
                "rejected": [SYSTEM, *ASK, turn("assistant", "bad")],
            },
            [SYSTEM, *ASK],
        ),
        (
            {
                "prompt": [SYSTEM, *ASK],
                "chosen": [*ASK, turn("assistant", "good")],
                "rejected": [*ASK, turn("assistant", "bad")],
            },
            [SYSTEM, *ASK],
        ),
        (
            {
                "prompt": ASK,
                "chosen": [turn("assistant", "h"), turn("user", "r"), turn("assistant", "good")],
                "rejected": [turn("assistant", "h"), turn("user", "r"), turn("assistant", "bad")],
            },
            [*ASK, turn("assistant", "h"), turn("user", "r")],
        ),
        (  # as UltraFeedback has it
            {
                "prompt": "q",
                "messages": [*ASK, turn("assistant", "good")],
                "chosen": [*ASK, turn("assistant", "good")],
                "rejected": [*ASK, turn("assistant", "bad")],
            },
            ASK,
        ),
        ({"messages": None, "prompt": "q", "chosen": "good", "rejected": "bad"}, ASK),
        ({"prompt": "q", "chosen": None, "rejected": None, "answers": ["good", "bad"], "ranks": [1, 2]}, ASK),
    ],
)
def test_what_was_said_before_stays(tmp_path: Path, line: dict[str, Any], messages: list[Message]) -> None:
    assert read_rankings(write(tmp_path / "r.jsonl", line)) == [Ranking(messages, ["good", "bad"], [1, 2])]
