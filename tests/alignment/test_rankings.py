import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from gptwright.alignment.rankings import (
    RankedIds,
    Ranking,
    comparable,
    ranked_ids,
    rankings_of_step,
    read_rankings,
    with_shuffled_ranks,
)
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.tokenizers.chat_templates.chat import Message, render
from gptwright.tokenizers.special_tokens import END_OF_TURN
from gptwright.tokenizers.tokenizer import Tokenizer

ASK: list[Message] = [{"role": "user", "content": "q"}]


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def reader(tokenizer: Tokenizer, context: int) -> LoadedModel:
    """What reads conversations, without a network."""
    network = nn.Module()
    network.config = SimpleNamespace(context=context)  # pyright: ignore[reportAttributeAccessIssue]
    return LoadedModel(network, tokenizer, "reader")


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


def test_what_cannot_be_compared_is_dropped_with_its_reason(tokenizer: Tokenizer) -> None:
    def ranking(place: int, answers: list[str], ranks: list[int]) -> Ranking:
        return Ranking(ASK, answers, ranks, where=f"line {place}")

    long = "the dog ran " * 30
    intake = Intake("reward")
    found = comparable(
        [
            ranking(1, ["a", "b"], [1, 1]),
            ranking(2, [f"one {long}", f"two {long}"], [1, 2]),
            ranking(3, ["a", "a"], [1, 2]),
            ranking(4, ["a", long, "b"], [1, 2, 3]),
            ranking(5, ["a", "b", "a"], [1, 2, 3]),
            ranking(6, ["a", "b"], [2, 1]),
            ranking(7, ["a", "b", "a"], [1, 2, 1]),
        ],
        reader(tokenizer, 24),
        intake,
    )
    assert [(r.where, ids.ranks) for r, ids in found] == [("line 4", [1, 3]), ("line 6", [2, 1]), ("line 7", [1, 2, 1])]
    assert intake.dropped.counts.total() == 4 and intake.shortened.counts.total() == 1
    assert "1 all tied, the first on line 1" in str(intake.dropped)
    assert "3 without two answers to compare" in str(intake.dropped) and "the first on line 2" in str(intake.dropped)
    whole = ranked_ids(found[1][0], reader(tokenizer, 24))
    assert all(row[-1] == tokenizer.special_id(END_OF_TURN) for row in whole.rows) and not whole.cut


def test_answers_become_whole_conversations_and_long_prompts_lose_their_beginning(tokenizer: Tokenizer) -> None:
    ranking = Ranking([{"role": "user", "content": "x" * 30}], ["good", "y"], [1, 2])
    whole = render([*ranking.messages, {"role": "assistant", "content": "good"}], tokenizer)[0]
    assert ranked_ids(ranking, reader(tokenizer, 64)).rows[0] == whole
    cut = ranked_ids(ranking, reader(tokenizer, 12))
    assert cut.rows[0] == whole[-12:]
    assert all(row[-1] == tokenizer.special_id(END_OF_TURN) for row in cut.rows)


def test_rows_end_where_the_assistant_does_though_a_template_goes_on(tokenizer: Tokenizer) -> None:
    template = (
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    foreign = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, chat_template=template))
    ranking = Ranking([{"role": "user", "content": "x"}], ["good", "y"], [1, 2])
    found = ranked_ids(ranking, reader(foreign, 64)).rows
    newline = tokenizer.encode("\n")
    for row, own in zip(found, ranked_ids(ranking, reader(tokenizer, 64)).rows, strict=True):
        end = own.index(tokenizer.special_id(END_OF_TURN)) + 1
        assert row == [*own[:end], *newline, *own[end:]]


def test_the_control_deals_the_same_ranks_anew() -> None:
    ranks = [1, 2, 2, 3]
    items = [RankedIds([[i]] * 4, ranks) for i in range(200)]
    dealt = with_shuffled_ranks(items, seed=3)
    assert all(Counter(d.ranks) == Counter(ranks) and d.rows == i.rows for d, i in zip(dealt, items, strict=True))
    assert dealt == with_shuffled_ranks(items, seed=3) != with_shuffled_ranks(items, seed=4)
    firsts = Counter(d.ranks[0] for d in dealt)
    assert firsts[1] in range(30, 71) and firsts[2] in range(75, 126)


def test_every_prompt_comes_once_an_epoch() -> None:
    items = [RankedIds([[i], [i]], [1, 2]) for i in range(10)]
    seen = [item.rows[0][0] for step in range(5) for item in rankings_of_step(items, 2, step, seed=1)]
    assert sorted(seen) == list(range(10)) != seen
    assert rankings_of_step(items, 2, 7, 1) == rankings_of_step(items, 2, 7, 1)
