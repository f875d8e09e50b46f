"""Faults of turns: answers of nothing, what is said twice, echoes, order, and answers that go on for the user."""

from typing import Any

import pytest

from gptwright.text.lint.turns import (
    ECHO,
    EMPTY_ANSWER,
    FOR_USER,
    REPEATED,
    ROLES,
    Turn,
    faults_of_turns,
    says_nothing,
    texts_of,
    turns_of,
)

ASKED = "What is the capital of France?"
CALL: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "look"}}]}


def kinds(*messages: tuple[str, Any] | dict[str, Any]) -> list[str]:
    turns = turns_of([m if isinstance(m, dict) else {"role": m[0], "content": m[1]} for m in messages])
    return [kind for kind, _ in faults_of_turns(turns)]


@pytest.mark.parametrize(
    "text",
    ["", " \n", "\u200b", "\ufeff", "\u00a0\u3000", "\u2060\u200d", "\u2800", "\u3164", "<think>Well.</think>",
     "<think>Well.</think>\n\n", "<think>It goes on", "[deleted]", "[Removed]", "[no response]", "N/A", "n/a", "#N/A",
     "...", "…", "……", "TODO", "todo:", "```\n```", "```python\n```", "<br>", "<br />", "<p></p>", "&nbsp;", "<empty>",
     "nan", " ... ", "\u200b.\u200b."],
)  # fmt: skip
def test_answers_that_say_nothing(text: str) -> None:
    assert says_nothing(text)
    assert kinds(("user", ASKED), ("assistant", text)) == [EMPTY_ANSWER]


@pytest.mark.parametrize(
    "text",
    ["0", "42", "None", "null", "?", "!", "👍", "-", "NaN", "是", "A", "<think>a</think>b", "undefined", "no", ".",
     "[deleted] was his answer", "```\nx\n```", "{}", "[]", "todo: buy milk", "\u200ba", "<b>", "…and then?", "/"],
)  # fmt: skip
def test_short_answers_that_say_something(text: str) -> None:
    assert not says_nothing(text)


def test_who_acts_need_not_speak() -> None:
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,xx"}}]
    result = {"role": "tool", "content": "the same long result of a tool"}
    assert kinds(("user", ASKED), CALL, result, CALL | {"content": ""}, result, ("assistant", "Paris."))[:1] != [
        EMPTY_ANSWER
    ]
    assert kinds(("user", "Draw."), ("assistant", picture)) == []
    assert kinds(("user", ASKED), ("assistant", None)) == kinds(("user", ASKED), ("assistant", [])) == [EMPTY_ANSWER]
    assert kinds(("user", ASKED), ("assistant", [{"type": "text", "text": " "}])) == [EMPTY_ANSWER]


@pytest.mark.parametrize(
    "again",
    [ASKED, f" {ASKED}\n", ASKED.upper(), ASKED.rstrip("?"),
     "What is the capital of France ?!", "**What is the capital of France?**",
     "What  is the\ncapital of France?", "“What is the capital of France?”", "Ｗｈａｔ is the capital of France？"],
)  # fmt: skip
def test_turns_that_were_there_before(again: str) -> None:
    assert kinds(("user", ASKED), ("assistant", "Paris."), ("user", again), ("assistant", "Paris.")) == [REPEATED]
    assert kinds(("user", ASKED), ("assistant", again)) == [ECHO]


def test_what_may_be_said_twice_and_what_may_not_in_chinese() -> None:
    for said in ("Go on.", "Yes, please.", "好的，请继续。", "谢谢你！"):
        assert kinds(("user", said), ("assistant", "One."), ("user", said), ("assistant", "Two.")) == []
    asked = "法国的首都是哪一座城市？"
    assert kinds(("user", asked), ("assistant", "巴黎。"), ("user", asked), ("assistant", "巴黎。")) == [REPEATED]
    assert kinds(("user", asked), ("assistant", asked)) == [ECHO]
    assert kinds(("user", "é" * 30), ("assistant", "a"), ("user", "e\u0301" * 30), ("assistant", "b")) == [REPEATED]
    assert kinds(("user", "-" * 30), ("assistant", "=" * 30)) == []


@pytest.mark.parametrize(
    "names", [("human", "gpt"), ("User", "Assistant"), ("user", "model"), ("prompter", "assistant")]
)
def test_roles_by_any_convention(names: tuple[str, str]) -> None:
    user, assistant = names
    assert kinds((user, ASKED), (assistant, "")) == [EMPTY_ANSWER]
    assert kinds((user, ASKED), (user, "Well?"), (assistant, "Paris.")) == [ROLES]
    assert kinds((assistant, "Hello.")) == [ROLES]
    assert kinds(("system", "Be kind."), (user, ASKED), (assistant, "Paris.")) == []
    assert kinds((user, ASKED), ("developer", "Be kind."), (assistant, "Paris.")) == [ROLES]


@pytest.mark.parametrize("sign", ["Human:", "User:", "**User:**", "USER:", "用户：", "  Human:"])
def test_answers_that_speak_for_the_user(sign: str) -> None:
    assert kinds(("user", ASKED), ("assistant", f"Paris.\n\n{sign} And of Spain?")) == [FOR_USER]
    assert kinds(("user", f"Paris.\n\n{sign} And of Spain?"), ("assistant", "Madrid.")) == []
    assert kinds(("user", ASKED), ("assistant", f"Paris, said the {sign} in a line.")) == []


def test_texts_are_found_wherever_they_stand_and_names_are_none() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,xx"}}
    row = {"messages": [{"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]}],
           "answers": ["a dog", "a cat"], "source": "me", "n": 3}  # fmt: skip
    assert list(texts_of(row)) == ["What is it?", "a dog", "a cat"]
    assert turns_of(row["messages"]) == [Turn("user", "What is it?", acts=True)]
    assert turns_of("text") == turns_of([]) == turns_of(["a"]) == []
