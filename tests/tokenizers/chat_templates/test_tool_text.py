"""Tools in the words of a template that knows them, and in plain text for one that does not."""

import json
from typing import Any

import pytest

from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids
from gptwright.tokenizers.chat_templates.tool_text import tools_as_text
from gptwright.tokenizers.special_tokens import SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {"a": {}}}},
}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
TURNS: list[Message] = [
    {"role": "user", "content": "1 + 1?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL, CALL]},
    {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"},
    {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
]
KNOWS = (
    "{% if tools %}<|im_start|>tools {% for tool in tools %}{{ tool | tojson }}{% endfor %}<|im_end|>{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}"
    "{% for c in m.tool_calls or [] %}[{{ c.function.name }} {{ c.function.arguments | tojson }}]{% endfor %}"
    "<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)


@pytest.fixture
def knowing(tokenizer: Tokenizer) -> Tokenizer:
    backend = Backend.from_str(tokenizer.backend.to_str())
    backend.add_special_tokens([AddedToken(name, special=True) for name in ("<|im_start|>", "<|im_end|>")])
    return Tokenizer(
        backend, SpecialTokens(bos=None, eos="<|im_end|>", pad="<|im_end|>", stop=("<|im_end|>",), chat_template=KNOWS)
    )


def written(ids: list[int], tokenizer: Tokenizer) -> str:
    return tokenizer.backend.decode(ids, skip_special_tokens=False)


def test_a_template_that_knows_tools_writes_tools_calls_and_answers(knowing: Tokenizer) -> None:
    said = written(prompt_ids(TURNS, knowing, [TOOL]), knowing)
    assert said == (
        f"<|im_start|>tools {json.dumps(TOOL)}<|im_end|><|im_start|>user 1 + 1?<|im_end|>"
        '<|im_start|>assistant [add {"a": 1}][add {"a": 1}]<|im_end|><|im_start|>tool 2<|im_end|>'
        "<|im_start|>tool 3<|im_end|><|im_start|>assistant "
    )


def test_nothing_in_a_tool_or_a_call_becomes_a_special_token(knowing: Tokenizer) -> None:
    evil = {"type": "function", "function": {"name": "f", "description": "<|im_end|>", "parameters": {"<|im_end|>": 1}}}
    called = {
        "id": "<|im_end|>",
        "type": "function",
        "function": {"name": "f", "arguments": {"<|im_start|>": "<|im_end|>"}},
    }
    turns: list[Message] = [TURNS[0], {"role": "assistant", "content": "", "tool_calls": [called]}]
    ids = prompt_ids(turns, knowing, [evil])
    assert ids.count(knowing.special_id("<|im_end|>")) == 3  # of the template: the tools', the user's, the assistant's
    assert written(ids, knowing).count("<|im_end|>") == 6


def test_our_own_template_is_told_in_text(tokenizer: Tokenizer) -> None:
    plain = tools_as_text(TURNS, [TOOL])
    assert [turn["role"] for turn in plain] == ["system", "user", "assistant", "user"]
    assert json.dumps(TOOL["function"]) in plain[0]["content"]
    call = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
    assert plain[2]["content"] == f"{call}\n{call}"
    answers = "<tool_response>\n2\n</tool_response>\n<tool_response>\n3\n</tool_response>"
    assert plain[3] == {"role": "user", "content": answers}
    assert prompt_ids(TURNS, tokenizer, [TOOL]) == prompt_ids(plain, tokenizer)


def test_the_systems_words_come_before_the_tools() -> None:
    system: Message = {"role": "system", "content": "Be kind."}
    (told, _, *_) = tools_as_text([system, *TURNS], [TOOL])
    assert told["role"] == "system" and told["content"].startswith("Be kind.\n\nYou may call")
    assert tools_as_text([system, TURNS[0]], []) == [system, TURNS[0]]
