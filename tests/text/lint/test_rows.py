"""Faults of conversations, prompts with answers and rankings."""

from typing import Any

import pytest

from gptwright.text.lint.rows import ECHO, EMPTY, EMPTY_ANSWER, REPEATED, ROLES, row_faults, texts_of, turns_of

ASKED = "What is the capital of France?"


def talk(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        (talk(("system", "Be kind."), ("user", ASKED), ("assistant", "Paris.")), []),
        (talk(("user", ASKED), ("assistant", f"{ASKED} ")), [ECHO]),
        (talk(("user", "Hello."), ("assistant", "Hello.")), []),
        (talk(("user", ASKED), ("assistant", " \n")), [EMPTY_ANSWER]),
        (talk(("user", ASKED), ("assistant", "Paris."), ("user", f" {ASKED.upper()}"), ("assistant", "Paris.")),
         [REPEATED]),
        (talk(("user", "Go on."), ("assistant", "One."), ("user", "Go on."), ("assistant", "Two.")), []),
        (talk(("user", ASKED), ("user", "Well?"), ("assistant", "Paris.")), [ROLES]),
        (talk(("assistant", "Hello.")), [ROLES]),
        (talk(("user", ASKED), ("system", "Be kind."), ("assistant", "Paris.")), [ROLES]),
        ({"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": ""}]}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "answers": ["Paris.", ""]}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "chosen": "Paris.", "rejected": " "}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "completion": ""}, [EMPTY_ANSWER]),
        ({"text": " "}, [EMPTY]),
        ({"text": "A text."}, []),
    ],
)  # fmt: skip
def test_kinds(row: dict[str, Any], kinds: list[str]) -> None:
    assert [kind for kind, _ in row_faults(row)] == kinds


def test_texts_are_found_wherever_they_stand_and_names_are_none() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,xx"}}
    row = {"messages": [{"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]}],
           "answers": ["a dog", "a cat"], "source": "me", "n": 3}  # fmt: skip
    assert list(texts_of(row)) == ["What is it?", "a dog", "a cat"]
    assert turns_of(row["messages"]) == [("user", "What is it?")]
    assert turns_of("text") == turns_of([]) == turns_of(["a"]) == []
