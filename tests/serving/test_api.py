"""The routes, their shapes, and that nothing asked for is ignored in silence."""

import asyncio
import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai.resources.chat.completions import Completions as OpenAIChat
from openai.resources.completions import Completions as OpenAICompletions

from gptwright.inference.sampler import derive_seed
from gptwright.serving.fields import NEUTRAL, REFUSED
from gptwright.serving.schemas import ChatRequest, CompletionRequest

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


def test_what_a_model_never_says_stays_unsaid_beside_a_request_s_own_biases(client: Any, model: Any) -> None:
    model.sampling = replace(model.sampling, logit_bias={7: -100.0, 8: -100.0})
    chat(client, logit_bias={"8": 5, "9": 3})
    assert model.asked[0][1].logit_bias == {7: -100, 8: 5, 9: 3}


def test_reply_cut_by_length(client: Any) -> None:
    choice = chat(client, max_tokens=2).json()["choices"][0]
    assert choice["message"]["content"] == "Hello there," and choice["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_several_choices(client: Any, model: Any, stream: bool) -> None:
    answer = chat(client, n=3, seed=5, stream=stream)
    assert model.seeds == [5, derive_seed(5, 1), derive_seed(5, 2)]
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


TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f"}}
BAD_VALUES = {
    "temperature": [-0.1, 2.1, "0.7", True, [1]],
    "top_p": [-0.1, 1.5],
    "top_k": [-2, 1.5],
    "n": [0, 129, 1.5, "2"],
    "max_tokens": [0, -5, 10**30, "all"],
    "max_completion_tokens": [0],
    "seed": [-(1 << 63) - 1, 1 << 64, 0.5],
    "stop": ["", [""], ["x"] * 17, "x" * 257, [1], 3],
    "stream": ["yes", 1],
    "stream_options": [{"include_usage": True}, {"other": 1}, 3],
    "messages": [[], "hi", [1], [{"role": "user"}], [{"role": "wizard", "content": "x"}], [{"content": "x"}],
                 [{"role": "user", "content": None}], [{"role": "user", "content": [{"type": "image_url"}]}],
                 [{"role": "user", "content": [3]}], [{"role": "user", "content": "x", "name": 3}],
                 [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
                 [{"role": "user", "content": [{"type": "text"}]}], [{"role": "user", "refusal": "x"}],
                 [{"role": "user", "content": [{"text": "x"}]}], [{"role": "tool", "content": "x"}],
                 [{"role": "function", "content": "x"}], [{"role": "user", "content": "x", "tool_call_id": "a"}],
                 [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function",
                                                        "function": {"name": "f", "arguments": "[]"}}]}],
                 [{"role": "user", "content": "x", "refusal": "y"}],
                 [{"role": "assistant", "content": "x", "reasoning_content": "y"}],
                 [{"role": "assistant", "content": "x", "tool_calls": [{}]}], {}],
    "model": [None, 3],
    "tools": [[{"type": "function"}], [{"type": "custom", "custom": {"name": "f"}}], {}, [{"type": "function",
              "function": {"name": "a b"}}], [TOOL, TOOL], [{"type": "function", "function": {"name": "f",
              "strict": True}}], [TOOL] * 129],
    "tool_choice": ["required", "any", {"type": "function", "function": {"name": "f"}}, {"type": "allowed_tools"}],
    "parallel_tool_calls": ["no"],
    "functions": [[{}], [TOOL["function"]] * 2],
    "function_call": [{"name": "f"}, "required"],
    "prediction": ["x", {"type": "content"}, {"type": "image", "content": "x"}],
    "modalities": [["audio"], ["text", "audio"], []],
    "moderation": [{"model": "m"}],
    "audio": [{"voice": "alloy", "format": "wav"}],
    "web_search_options": [{}],
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
    "store": [1, "yes"],
    "reasoning_effort": ["high"],
    "suffix": ["x"],
    "best_of": [2],
    "echo": [True],
    "verbosity": ["high", "low", 1],
    "truncation": ["on", True],
    "user": [[5], 5, {}],
    "safety_identifier": [[5], "x" * 65],
    "metadata": [{"a": "b"}, [5], {"a": 5}, {"k" * 65: "x"}, {"k": "x" * 513}, {str(i): "x" for i in range(17)}],
    "prompt_cache_key": [[5], "x" * 65],
    "prompt_cache_options": [[5], {"mode": "explicit"}, {"ttl": "24h"}, {"other": 1}],
    "prompt_cache_retention": [[5], "24h"],
    "service_tier": [[5], "flex", "priority", "scale", "fast"],
    "made_up": ["x", False, 0],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_VALUES.items() for value in values])
def test_what_is_not_honoured_is_refused_by_name(client: Any, model: Any, name: str, value: Any) -> None:
    body = json.dumps({"model": "tiny", "messages": HELLO} | {name: value})
    answer = asyncio.run(_raw(client, body))
    error = answer.json()["error"]
    assert answer.status_code == 400 and set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error" and name in error["message"] and not model.asked
    assert error["param"].split("[")[0].split(".")[0] == name and error["code"]


async def _raw(make: Any, body: str) -> httpx.Response:
    async with make() as client:
        return await client.post("/v1/chat/completions", content=body)


def test_fields_about_the_caller_and_neutral_ones_pass(client: Any) -> None:
    for values in zip(*(values * 2 for values in NEUTRAL.values()), strict=False):
        assert chat(client, **dict(zip(NEUTRAL, values, strict=True))).status_code == 200
    about = {"user": "ann", "safety_identifier": "x" * 64, "metadata": {"a": "b"}, "prompt_cache_key": "",
             "prompt_cache_options": {"mode": "implicit", "ttl": "30m"}, "prompt_cache_retention": "in_memory",
             "service_tier": "auto", "store": True, "modalities": ["text"], "parallel_tool_calls": True,
             "tool_choice": "auto", "tools": [], "functions": [], "function_call": "none"}  # fmt: skip
    assert chat(client, **about).json()["service_tier"] == "default"
    nothing = dict.fromkeys(("temperature", "stop", "n", "made_up", "max_tokens", *about))
    assert chat(client, **nothing).status_code == 200
    assert chat(client, frequency_penalty=0.0, tools=None).status_code == 200


def test_the_page_of_the_api_names_every_field_and_what_it_does() -> None:
    page = (Path(__file__).parents[2] / "docs/parameters.md").read_text(encoding="utf-8")
    for name in {*ChatRequest.model_fields, *CompletionRequest.model_fields, *REFUSED}:
        assert f"`{name}`" in page, name
    for shape in (ChatRequest, CompletionRequest):
        assert all(field.description for field in shape.model_fields.values())


@pytest.mark.parametrize(
    ("create", "shape", "honoured"),
    [(OpenAIChat.create, ChatRequest, 32), (OpenAICompletions.create, CompletionRequest, 18)],
)
def test_every_parameter_of_the_openai_client_is_decided(create: Any, shape: Any, honoured: int, client: Any) -> None:
    """Each is honoured, or refused by name with the reason: none is dropped."""
    transport = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    parameters = set(inspect.signature(create).parameters) - transport
    assert len(parameters & set(shape.model_fields)) >= honoured
    for name in parameters - set(shape.model_fields):
        error = chat(client, **{name: {"some": "thing"}}).json()["error"]
        assert error["param"] == name and REFUSED[name] in error["message"]


WHERE = [
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [*HELLO, {"role": "user"}]}, "messages[1].content", "invalid_value"),
    ({"messages": [*HELLO, {"role": "assistant", "tool_calls": [{}]}]}, "messages[1].tool_calls[0].id",
     "missing_required_parameter"),
    ({"messages": None}, "messages", "invalid_type"),
    ({"messages": []}, "messages", "array_below_min_length"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "invalid_value"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
    ({"temperature": "1"}, "temperature", "invalid_type"),
    ({"n": 0}, "n", "integer_below_min_value"),
    ({"stop": ["x" * 257]}, "stop[0]", "string_above_max_length"),
    ({"stream_options": {}}, "stream_options", "invalid_value"),
    ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
    ({"max_tokens": 2, "max_completion_tokens": 3}, "max_tokens", "invalid_value"),
    ({"logit_bias": {"100": 1}}, "logit_bias", "invalid_value"),
    ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
    ({"tools": [TOOL | {"more": 1}]}, "tools[0].more", "unsupported_parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "param", "code"), WHERE)
def test_an_error_names_the_field_and_the_kind_as_openai_does(client: Any, more: Any, param: str, code: str) -> None:
    error = chat(client, **more).json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert param in error["message"]


def test_what_is_wrong_with_settings_together_names_one_of_them(client: Any) -> None:
    for more in ({"best_of": 1, "n": 2}, {"best_of": 2, "stream": True}, {"best_of": 2, "temperature": 0}):
        error = post(client, "/v1/completions", {"model": "tiny", "prompt": "x"} | more).json()["error"]
        assert (error["param"], error["code"]) == ("best_of", "invalid_value")
    missing = post(client, "/v1/completions", {"model": "tiny"}).json()["error"]
    assert (missing["param"], missing["code"]) == ("prompt", "missing_required_parameter")


def test_numbers_that_openai_takes(client: Any, model: Any) -> None:
    for more in ({"seed": -1}, {"top_k": -1}, {"temperature": 1e-5}, {"temperature": 5e-324}, {"top_p": 0},
                 {"seed": -(1 << 63)}, {"n": 128, "max_tokens": 1},
                 {"max_tokens": 0, "echo": True, "logprobs": 1}):  # fmt: skip
        assert post(client, "/v1/completions", {"model": "tiny", "prompt": "x"} | more).status_code == 200
    assert model.asked[0][1].seed == -1 and model.asked[1][1].top_k == 0
    assert chat(client, max_tokens=0).json()["error"]["param"] == "max_tokens"


def test_many_prompts_have_their_answers_in_order(client: Any, model: Any) -> None:
    for given in (["a b", "c", "d e f"], [[5, 6], [7], [8, 9, 10]]):
        model.asked.clear()
        body = {"model": "tiny", "prompt": given, "n": 2, "seed": 4}
        whole = post(client, "/v1/completions", body).json()
        assert [choice["index"] for choice in whole["choices"]] == list(range(6))
        read = [text if isinstance(text, str) else " ".join(map(str, text)) for text in given]
        assert [text for text, _ in model.asked] == [text for text in read for _ in range(2)]
        assert whole["usage"] == {"prompt_tokens": 6, "completion_tokens": 24, "total_tokens": 30}
    assert model.seeds == [4, derive_seed(4, 1)] * 6
    told = events(post(client, "/v1/completions", body | {"stream": True}))
    texts = [""] * 6
    for event in told:
        texts[event["choices"][0]["index"]] += event["choices"][0]["text"]
    assert texts == [model.reply] * 6


@pytest.mark.parametrize(
    "given",
    [[], [[]], [[5], []], ["a", [5]], [5, "a"], [[5], 6], [True], [[True]], 5, {}, None, [1.5], [["a"]], [[[5]]],
     ["x"] * 2049],
)  # fmt: skip
def test_a_prompt_of_another_form_is_refused(client: Any, given: Any) -> None:
    body = {"model": "tiny", "prompt": given}
    answer = post(client, "/v1/completions", body)
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith("prompt")


def test_one_prompt_too_long_among_many_refuses_all(client: Any, model: Any) -> None:
    body = {"model": "tiny", "prompt": ["a", "x " * 100]}
    error = post(client, "/v1/completions", body).json()["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "prompt")
    assert not model.open_now


def test_messages_as_clients_send_them_back(client: Any, model: Any) -> None:
    said: list[tuple[Any, str]] = [
        ({"role": "user", "content": "Hi", "name": "bob"}, "Hi"),
        ({"role": "user", "content": "Hi", "name": ""}, "Hi"),
        ({"role": "assistant", "content": "Hello.", "reasoning_content": "", "tool_calls": None}, "Hello."),
        ({"role": "assistant", "content": None, "refusal": "I cannot."}, "I cannot."),
        ({"role": "assistant", "content": "", "refusal": "I cannot."}, "I cannot."),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, "No."),
        ({"role": "assistant", "content": None, "tool_calls": [], "function_call": {}, "audio": None}, ""),
        ({"role": "assistant"}, ""),
        ({"role": "assistant", "content": []}, ""),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ({"role": "user", "content": ""}, ""),
    ]
    for message, text in said:
        assert chat(client, messages=[*HELLO, message, *HELLO]).status_code == 200
        assert model.asked[-1][0][1] == {"role": message["role"], "content": text}


def test_parts_that_are_no_text_are_refused_by_their_kind(client: Any) -> None:
    for kind in ("image_url", "input_audio", "file"):
        error = chat(client, messages=[{"role": "user", "content": [{"type": kind}]}]).json()["error"]
        assert error["param"] == "messages[0].content" and kind in error["message"]


def test_the_oldest_turns_are_left_out_when_asked(client: Any, model: Any) -> None:
    turns = [{"role": role, "content": f"{i} " + "x " * 9} for i in range(5) for role in ("user", "assistant")]
    system = {"role": "system", "content": "be kind"}
    messages = [system, *turns, *HELLO]
    refused = chat(client, messages=messages)
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert chat(client, messages=messages, truncation="disabled").status_code == 400
    for stream in (False, True):
        answer = chat(client, messages=messages, truncation="auto", stream=stream)
        assert answer.status_code == 200
        assert model.asked[-1][0] == [system, *turns[6:], *HELLO]
        assert answer.headers["x-dropped-messages"] == "6"
    short = chat(client, truncation="auto")
    assert "x-dropped-messages" not in short.headers and model.asked[-1][0] == HELLO
    alone = chat(client, messages=[system, {"role": "user", "content": "x " * 70}], truncation="auto")
    assert alone.json()["error"]["code"] == "context_length_exceeded"


def test_other_model_and_other_paths_are_404(client: Any) -> None:
    wrong = chat(client, model="gpt-9")
    assert wrong.status_code == 404 and wrong.json()["error"]["code"] == "model_not_found"
    for path in ("/v1/nothing", "/v1/models/gpt-9", "/app.js/", "/../secrets", "/v1/chat/completions/"):
        answer = get(client, path)
        assert answer.status_code == 404 and set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert get(client, "/v1/nothing").json()["error"]["code"] == "unknown_url"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/login", "GET, POST"),
        ("PUT", "/api/conversations/some", "DELETE, GET, PATCH"),
        ("GET", "/v1/chat/completions", "POST"),
        ("OPTIONS", "/v1/completions", "POST"),
        ("DELETE", "/feedback", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("PUT", "/v1/models/tiny", "GET, HEAD"),
        ("PUT", "/health", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("PATCH", "/examples", "GET, HEAD"),
    ],
)
def test_another_method_is_405_and_says_which_are_allowed(client: Any, method: str, path: str, allowed: str) -> None:
    async def go() -> httpx.Response:
        async with client() as connection:
            return await connection.request(method, path)

    answer = asyncio.run(go())
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["code"] == "method_not_allowed"


def test_what_can_be_got_has_a_head(client: Any) -> None:
    async def go() -> list[int]:
        async with client() as connection:
            paths = ("/", "/health", "/examples", "/v1/models", "/v1/models/tiny", "/app.js")
            return [(await connection.head(path)).status_code for path in paths]

    assert set(asyncio.run(go())) == {200}


def test_models_health_examples(client: Any) -> None:
    listed = get(client, "/v1/models").json()
    assert listed["object"] == "list" and [m["id"] for m in listed["data"]] == ["tiny"]
    card = listed["data"][0]
    again = get(client, "/v1/models/tiny").json()  # of another server, which may have begun a second later
    assert again | {"created": card["created"]} == card and card["max_model_len"] == 64
    assert (card["max_images"], card["inserts"], card["edits"]) == (0, False, False)
    assert get(client, "/health").json() == {"status": "ok"}
    assert get(client, "/examples", examples=("One?", "Two?")).json() == ["One?", "Two?"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_beyond_the_context(client: Any, stream: bool) -> None:
    answer = chat(client, messages=[{"role": "user", "content": "x " * 100}], stream=stream)
    error = answer.json()["error"]
    assert answer.status_code == 400 and (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert error["message"] == (
        "This model's maximum context length is 64 tokens. However, your messages resulted in 100 tokens. "
        "Please reduce the length of the messages. (context_length_exceeded)"
    )


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
