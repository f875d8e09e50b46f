"""OpenAI's responses by its own client: whole, streamed, with tools, and what is refused."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.resources.responses import Responses
from openai.types.responses import Response

from gptwright.serving.response_schemas import ResponseRequest

TOOLS: Any = [{"type": "function", "name": "go", "parameters": {"type": "object", "properties": {}}, "strict": None}]
GO = '<tool_call> {"name": "go", "arguments": {"x": 1}} </tool_call>'


@pytest.fixture
def ai(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_whole(ai: openai.OpenAI, model: Any) -> None:
    reply = ai.responses.create(model="tiny", input="Say hello", instructions="Be kind.", metadata={"a": "b"})
    Response.model_validate(reply.to_dict(), strict=True)
    assert (reply.status, reply.output_text, reply.metadata) == ("completed", model.reply, {"a": "b"})
    assert reply.usage and (reply.usage.input_tokens, reply.usage.output_tokens) == (4, 4)
    assert model.read[-1] == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Say hello"}]
    cut = ai.responses.create(model="tiny", input="Say hello", max_output_tokens=1)
    assert cut.status == "incomplete" and cut.incomplete_details and cut.output_text == "Hello"


@pytest.mark.parametrize("said", ["Hello there, my friend.", f"I go. {GO}", GO])
def test_a_stream_is_the_whole(ai: openai.OpenAI, model: Any, said: str) -> None:
    model.reply = said
    whole = ai.responses.create(model="tiny", input="Say hello", tools=TOOLS)
    with ai.responses.stream(model="tiny", input="Say hello", tools=TOOLS) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == sorted({event.sequence_number for event in events})
    assert (
        final.output_text
        == whole.output_text
        == "".join(e.delta for e in events if e.type == "response.output_text.delta")
    )
    calls = [[item.arguments for item in one.output if item.type == "function_call"] for one in (whole, final)]
    assert calls[0] == calls[1] == (['{"x":1}'] if GO in said else [])


def test_what_came_before_is_sent_again(ai: openai.OpenAI, model: Any) -> None:
    model.reply = GO
    asked: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": "Say hello"}]}]
    (call,) = ai.responses.create(model="tiny", input=asked, tools=TOOLS).output
    assert call.type == "function_call"
    asked += [call.to_dict(), {"type": "function_call_output", "call_id": call.call_id, "output": "went"}]
    ai.responses.create(model="tiny", input=asked, tools=TOOLS)
    _, called, answered = model.read[-1]
    assert called["tool_calls"][0]["function"]["arguments"] == {"x": 1}
    assert (answered["role"], answered["content"], answered["tool_call_id"]) == ("tool", "went", call.call_id)


def test_settings_reach_the_model(ai: openai.OpenAI, model: Any) -> None:
    schema = {"type": "object", "properties": {}}
    ai.responses.create(model="tiny", input="a", temperature=0.25, top_p=0.5, max_output_tokens=7, top_logprobs=2,
                        include=["message.output_text.logprobs"],
                        text={"format": {"type": "json_schema", "name": "s", "schema": schema}})  # fmt: skip
    sampling = model.asked[-1][1]
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.logprobs) == (0.25, 0.5, 7, 2)
    assert json.loads(json.dumps(sampling.schema)) == schema


@pytest.mark.parametrize(("more", "param"), [
    ({"previous_response_id": "r"}, "previous_response_id"), ({"store": True}, "store"), ({"store": 0}, "store"),
    ({"background": True}, "background"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"), ({"tool_choice": "required"}, "tool_choice"),
    ({"input": []}, "input"), ({"input": [{"type": "reasoning"}]}, "input[0]"), ({"input": "x " * 99}, "input"),
    ({"max_output_tokens": 0}, "max_output_tokens"), ({"made_up": 1}, "made_up"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "["}]}, "input"),
])  # fmt: skip
def test_what_is_wrong_is_named(ai: openai.OpenAI, more: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ai.post("/responses", body={"model": "tiny", "input": "a"} | more, cast_to=object)
    assert (refused.value.param or "").startswith(param)


def test_every_parameter_of_the_client_is_decided(ai: openai.OpenAI) -> None:
    transport = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    for name in set(inspect.signature(Responses.create).parameters) - transport - set(ResponseRequest.model_fields):
        with pytest.raises(openai.BadRequestError) as refused:
            ai.post("/responses", body={"model": "tiny", "input": "a", name: {"some": "thing"}}, cast_to=object)
        assert refused.value.param == name
