"""The routes, their shapes, and that nothing asked for is ignored in silence."""

import asyncio
import inspect
import json
from typing import Any

import httpx
import pytest
from openai.resources.chat.completions import Completions as OpenAIChat
from openai.resources.completions import Completions as OpenAICompletions

from gptwright.engine.sampler import seed_of
from gptwright.serving.shapes import HARMLESS, NEUTRAL, ChatRequest, CompletionRequest

HELLO = [{"role": "user", "content": "Say hello"}]


def post(make: Any, path: str, body: Any, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with make(**options) as client:
            return await client.post(path, json=body)

    return asyncio.run(go())


def get(make: Any, path: str, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with make(**options) as client:
            return await client.get(path)

    return asyncio.run(go())


def chat(make: Any, **more: Any) -> httpx.Response:
    return post(make, "/v1/chat/completions", {"model": "tiny", "messages": HELLO} | more)


def events(answer: httpx.Response) -> list[Any]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    parts = answer.text.removesuffix("\n\n").split("\n\n")
    assert all(part.startswith("data: ") for part in parts) and parts[-1] == "data: [DONE]"
    return [json.loads(part[6:]) for part in parts[:-1]]


def test_chat_whole(client: Any, model: Any) -> None:
    body = chat(client).json()
    assert body["object"] == "chat.completion" and body["model"] == "tiny" and body["id"].startswith("chatcmpl-")
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there, my friend.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}
    assert model.asked == [(HELLO, model.sampling)]


def test_chat_stream(client: Any) -> None:
    told = events(chat(client, stream=True, stream_options={"include_usage": True}))
    assert told[0]["choices"][0]["delta"]["role"] == "assistant"
    assert all(event["object"] == "chat.completion.chunk" and event["id"] == told[0]["id"] for event in told)
    middle = [event["choices"][0] for event in told[1:-1]]
    assert "".join(choice["delta"].get("content", "") for choice in middle) == "Hello there, my friend."
    assert [choice["finish_reason"] for choice in middle] == [None] * 4 + ["stop"]
    assert told[-1]["choices"] == [] and told[-1]["usage"]["completion_tokens"] == 4
    assert all(event["usage"] is None for event in told[:-1])


def test_stream_without_usage_has_none(client: Any) -> None:
    assert all("usage" not in event and event["choices"] for event in events(chat(client, stream=True)))


def test_completion_whole_and_streamed(client: Any, model: Any) -> None:
    whole = post(client, "/v1/completions", {"model": "tiny", "prompt": "a b"}).json()
    assert whole["object"] == "text_completion" and whole["choices"][0]["text"] == model.reply
    assert model.asked[0][0] == "a b" and model.asked[0][1].max_tokens == 16
    told = events(post(client, "/v1/completions", {"model": "tiny", "prompt": "a b", "stream": True}))
    assert "".join(event["choices"][0]["text"] for event in told) == model.reply
    assert told[-1]["choices"][0]["finish_reason"] == "stop"


def test_settings_reach_the_model(client: Any, model: Any) -> None:
    chat(client, temperature=0.25, top_p=0.5, top_k=3, seed=7, stop=["a", "b"], max_completion_tokens=2)
    chat(client, temperature=0, stop="end", max_tokens=10**6)
    first, second = (sampling for _, sampling in model.asked)
    assert (first.temperature, first.top_p, first.top_k, first.seed) == (0.25, 0.5, 3, 7)
    assert model.seeds == [7, None]
    assert first.stop == ("a", "b") and first.max_tokens == 2
    assert second.stop == ("end",) and second.temperature == 0 and second.max_tokens == model.context


def test_reply_cut_by_length(client: Any) -> None:
    choice = chat(client, max_tokens=2).json()["choices"][0]
    assert choice["message"]["content"] == "Hello there," and choice["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_several_choices(client: Any, model: Any, stream: bool) -> None:
    answer = chat(client, n=3, seed=5, stream=stream)
    assert model.seeds == [5, seed_of(5, 1), seed_of(5, 2)]
    if stream:
        texts = ["", "", ""]
        for event in events(answer):
            choice = event["choices"][0]
            texts[choice["index"]] += choice["delta"].get("content", "")
    else:
        texts = [choice["message"]["content"] for choice in answer.json()["choices"]]
        assert answer.json()["usage"] == {"prompt_tokens": 2, "completion_tokens": 12, "total_tokens": 14}
    assert texts == [model.reply] * 3


def test_text_parts_developer_and_returned_messages(client: Any, model: Any) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    said = {"role": "assistant", "content": "yes", "refusal": None, "tool_calls": [], "annotations": []}
    messages = [{"role": "developer", "content": "be kind"}, {"role": "user", "content": parts}, said, *HELLO]
    assert chat(client, messages=messages).status_code == 200
    assert [m["role"] for m in model.asked[0][0]] == ["system", "user", "assistant", "user"]
    assert model.asked[0][0][1]["content"] == "one\ntwo" and set(model.asked[0][0][2]) == {"role", "content"}


REFUSED = {
    "temperature": [-0.1, 2.1, "0.7", True, [1]],
    "top_p": [0, 1.5],
    "top_k": [-1, 1.5],
    "n": [0, 17, 1.5, "2"],
    "max_tokens": [0, -5, 10**30, "all"],
    "max_completion_tokens": [0],
    "seed": [-1, 1 << 63, 0.5],
    "stop": ["", [""], ["x"] * 17, "x" * 257, [1], 3],
    "stream": ["yes", 1],
    "stream_options": [{"include_usage": True}, {"other": 1}, 3],
    "messages": [[], "hi", [1], [{"role": "user"}], [{"role": "wizard", "content": "x"}], [{"content": "x"}],
                 [{"role": "user", "content": None}], [{"role": "user", "content": [{"type": "image_url"}]}],
                 [{"role": "user", "content": [3]}], [{"role": "user", "content": "x", "name": "Ann"}],
                 [{"role": "assistant", "content": "x", "tool_calls": [{}]}], {}],
    "model": [None, 3],
    "tools": [[{"type": "function"}]],
    "response_format": [{"type": "xml"}, {"type": "json_schema"}, {"type": "text", "json_schema": {"name": "a"}},
                        {"type": "json_schema", "json_schema": {"schema": {}}}, "json_object", {}],
    "logprobs": [0, 1, "yes"],
    "top_logprobs": [2, 21, -1, True],
    "logit_bias": [{"a": 1}, {"-1": 1}, {"5": 101}, {"5": "x"}, {"": 1}, {"٥": 1}, {"99999999999": 1}, {"100": 1},
                   [5], "5"],
    "frequency_penalty": [2.1, -2.1, "0", True],
    "presence_penalty": [2.1, -2.1],
    "repetition_penalty": [0, -1, 101],
    "min_p": [-0.1, 1.1],
    "stop_token_ids": [[100], [-1], ["1"], 3, list(range(65))],
    "store": [True],
    "reasoning_effort": ["high"],
    "suffix": ["x"],
    "best_of": [2],
    "echo": [True],
    "made_up": ["x", False, 0],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_what_is_not_honoured_is_refused_by_name(client: Any, model: Any, name: str, value: Any) -> None:
    body = json.dumps({"model": "tiny", "messages": HELLO} | {name: value})
    answer = asyncio.run(_raw(client, body))
    error = answer.json()["error"]
    assert answer.status_code == 400 and set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error" and name in error["message"] and not model.asked


async def _raw(make: Any, body: str) -> httpx.Response:
    async with make() as client:
        return await client.post("/v1/chat/completions", content=body)


def test_harmless_and_neutral_fields_pass(client: Any) -> None:
    neutral = {name: values[0] for name, values in NEUTRAL.items()}
    harmless = dict.fromkeys(HARMLESS, "x") | {"metadata": {"a": "b"}}
    nothing = dict.fromkeys(("temperature", "stop", "n", "made_up", "max_tokens"))
    assert chat(client, **(neutral | harmless | nothing)).status_code == 200
    assert chat(client, frequency_penalty=0.0, tools=None).status_code == 200


@pytest.mark.parametrize(
    ("create", "shape"), [(OpenAIChat.create, ChatRequest), (OpenAICompletions.create, CompletionRequest)]
)
def test_every_parameter_of_the_openai_client_is_decided(create: Any, shape: Any, client: Any) -> None:
    """Each is honoured, harmless, neutral at some value, or refused by name: none is dropped."""
    transport = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    honoured = set(shape.model_fields)
    for name in set(inspect.signature(create).parameters) - transport - honoured - HARMLESS:
        assert chat(client, **{name: {"some": "thing"}}).json()["error"]["param"] == name


def test_other_model_and_other_paths_are_404(client: Any) -> None:
    wrong = chat(client, model="gpt-9")
    assert wrong.status_code == 404 and wrong.json()["error"]["code"] == "model_not_found"
    for path in ("/v1/nothing", "/v1/models/gpt-9", "/app.js/", "/../secrets", "/v1/chat/completions/"):
        answer = get(client, path)
        assert answer.status_code == 404 and set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert get(client, "/v1/chat/completions").status_code == 405


def test_models_health_examples(client: Any) -> None:
    listed = get(client, "/v1/models").json()
    assert listed["object"] == "list" and [m["id"] for m in listed["data"]] == ["tiny"]
    assert get(client, "/v1/models/tiny").json() == listed["data"][0] and listed["data"][0]["max_model_len"] == 64
    assert get(client, "/health").json() == {"status": "ok"}
    assert get(client, "/examples", examples=("One?", "Two?")).json() == ["One?", "Two?"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_beyond_the_context(client: Any, stream: bool) -> None:
    answer = chat(client, messages=[{"role": "user", "content": "x " * 100}], stream=stream)
    error = answer.json()["error"]
    assert answer.status_code == 400 and (error["code"], error["param"]) == ("context_length_exceeded", "messages")


@pytest.mark.parametrize("stream", [False, True])
def test_a_failing_model_is_500_without_details_and_the_next_is_served(client: Any, model: Any, stream: bool) -> None:
    model.reply = "crash"
    answer = chat(client, stream=stream)
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
    assert "0x" not in answer.text and "/home" not in answer.text
    model.reply = "fine"
    assert chat(client).status_code == 200


def test_every_answer_has_a_request_id(client: Any) -> None:
    answers = [chat(client), get(client, "/v1/nothing"), get(client, "/")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
