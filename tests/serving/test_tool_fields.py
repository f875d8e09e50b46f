"""Tools over HTTP: told to the model, called by it, and forced where the caller wants a call."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.serving.tool_fields import ToolFields
from gptwright.store.database import Store
from gptwright.tokenizers.tokenizer import Tokenizer

HELLO: Any = [{"role": "user", "content": "Say hello"}]
POINT = {"type": "object", "properties": {"x": {"$ref": "#/$defs/Axis"}, "y": {"$ref": "#/$defs/Axis"}},
         "required": ["x", "y"], "additionalProperties": False, "$defs": {"Axis": {"enum": [0, 1]}}}  # fmt: skip
TOOLS: Any = [
    {"type": "function", "function": {"name": "go", "description": "Goes.", "parameters": POINT}},
    {"type": "function", "function": {"name": "stay"}},
]
FUNCTIONS: Any = [tool["function"] for tool in TOOLS]
GO = '{"name": "go", "arguments": {"x": 1}}'
CALLED: Any = [
    *HELLO,
    {"role": "assistant", "content": None,
     "tool_calls": [{"id": "c", "type": "function", "function": {"name": "stay", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": "stayed"},
]  # fmt: skip


@pytest.fixture
def ai(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("reply", [f"I go. <tool_call> {GO} </tool_call>", f"{GO}"])
def test_a_reply_that_calls(ai: openai.OpenAI, model: Any, reply: str) -> None:
    model.reply = reply
    answer = ai.chat.completions.create(model="tiny", messages=HELLO, tools=TOOLS)
    ChatCompletion.model_validate(answer.to_dict(), strict=True)
    choice = answer.choices[0]
    (call,) = choice.message.tool_calls or []
    assert call.type == "function" and (call.function.name, json.loads(call.function.arguments)) == ("go", {"x": 1})
    assert choice.finish_reason == "tool_calls" and choice.message.content in ("I go. ", None)
    assert [tool["function"]["name"] for tool in model.tools[-1]] == ["go", "stay"]
    plain = ai.chat.completions.create(model="tiny", messages=HELLO).choices[0]
    assert plain.message.content == reply and plain.message.tool_calls is None and plain.finish_reason == "stop"
    none = ai.chat.completions.create(model="tiny", messages=HELLO, tools=TOOLS, tool_choice="none").choices[0]
    assert none.message.content == reply and not model.tools[-1]


def test_a_stream_that_calls(ai: openai.OpenAI, model: Any) -> None:
    model.reply = f"I go. <tool_call> {GO} </tool_call> <tool_call> {GO} </tool_call>"
    with ai.chat.completions.stream(model="tiny", messages=HELLO, tools=TOOLS) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.message.content == "I go. " and choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"x": 1}] * 2 and calls[0].id != calls[1].id


def test_the_older_form(ai: openai.OpenAI, model: Any) -> None:
    model.reply = GO
    choice = ai.chat.completions.create(model="tiny", messages=HELLO, functions=FUNCTIONS).choices[0]
    assert choice.message.function_call and choice.message.function_call.name == "go"
    assert choice.finish_reason == "function_call" and choice.message.tool_calls is None
    chunks = list(ai.chat.completions.create(model="tiny", messages=HELLO, functions=FUNCTIONS, stream=True))
    assert [chunk.choices[0].delta.function_call.name for chunk in chunks if chunk.choices[0].delta.function_call] == [
        "go"
    ]
    said: Any = [*HELLO, {"role": "assistant", "content": None, "function_call": {"name": "go", "arguments": "{}"}},
                 {"role": "function", "name": "go", "content": "went"}]  # fmt: skip
    ai.chat.completions.create(model="tiny", messages=said)
    assert [turn["role"] for turn in model.read[-1]] == ["user", "assistant", "tool"]


def test_one_call_at_a_time_stops_behind_it(ai: openai.OpenAI, model: Any) -> None:
    ai.chat.completions.create(model="tiny", messages=HELLO, tools=TOOLS, parallel_tool_calls=False)
    assert model.asked[-1][1].stop == ("</tool_call>",)


def test_calls_and_answers_reach_the_template(ai: openai.OpenAI, model: Any) -> None:
    ai.chat.completions.create(model="tiny", messages=CALLED, tools=TOOLS)
    _, called, answered = model.read[-1]
    assert called["tool_calls"][0]["function"] == {"name": "stay", "arguments": {}}
    assert answered == {"role": "tool", "content": "stayed", "tool_call_id": "c", "name": ""}


@pytest.fixture
def real(tokenizer: Tokenizer, serve: Any, store: Store) -> Iterator[openai.OpenAI]:
    """A random model with room for tools."""
    network = GPT2(GPT2Config(vocab=tokenizer.vocab, context=1024, width=32, heads=2, layers=1))
    model = Model(network.requires_grad_(False), tokenizer, "tiny", GenerationConfig.of(Sampling(max_tokens=99)))
    with (
        serve(create_app({"tiny": model}, store)) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def test_a_forced_call_keeps_to_its_schema_whatever_the_model_knows(real: openai.OpenAI) -> None:
    ask: Any = {"model": "tiny", "messages": HELLO, "tools": TOOLS[:1], "temperature": 1, "seed": 1}
    for choice in ("required", {"type": "function", "function": {"name": "go"}}):
        reply = real.chat.completions.create(**ask, tool_choice=choice).choices[0]
        with real.chat.completions.stream(**ask, tool_choice=choice) as events:
            streamed = events.get_final_completion().choices[0]
        for made in (reply, streamed):
            (call,) = made.message.tool_calls or []
            arguments = json.loads(call.function.arguments)
            assert set(arguments) == {"x", "y"} and set(arguments.values()) <= {0, 1}
            assert made.finish_reason == "tool_calls" and not made.message.content


def test_a_format_beside_tools_leaves_the_choice(real: openai.OpenAI) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "p", "schema": POINT}}
    forms = set[bool]()
    for seed in range(12):
        ask: Any = {"model": "tiny", "messages": HELLO, "tools": TOOLS[:1], "response_format": wanted, "seed": seed}
        message = real.chat.completions.create(**ask, temperature=2).choices[0].message
        calls = message.tool_calls or []
        assert set(json.loads(calls[0].function.arguments if calls else message.content or "")) == {"x", "y"}
        forms.add(bool(calls))
    assert forms == {True, False}


def test_a_schema_that_nothing_can_meet_names_its_field(real: openai.OpenAI) -> None:
    bad: Any = [{"type": "function", "function": {"name": "go", "parameters": {"type": "nothing"}}}]
    with pytest.raises(openai.BadRequestError) as refused:
        real.chat.completions.create(model="tiny", messages=HELLO, tools=bad, tool_choice="required")
    assert refused.value.param == "tools"


def test_a_prediction_changes_no_reply(real: openai.OpenAI) -> None:
    ask: Any = {"model": "tiny", "messages": HELLO, "seed": 3, "max_tokens": 20}
    plain = real.chat.completions.create(**ask).choices[0].message.content
    predicted = real.chat.completions.create(**ask, prediction={"type": "content", "content": plain or "x"})
    assert predicted.choices[0].message.content == plain


def test_names_are_moved_with_their_schemas() -> None:
    asked = ToolFields.read({"tools": TOOLS, "tool_choice": "required"})
    schema = asked.call_schema({"type": "object"})
    assert schema and len(schema["anyOf"]) == 2 and set(schema["$defs"]) == {"go", "stay"}
    assert schema["$defs"]["go"]["properties"]["x"] == {"$ref": "#/$defs/go/$defs/Axis"}
    assert ToolFields.read({"tools": TOOLS}).call_schema(None) is None
