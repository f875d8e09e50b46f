"""OpenAI's own client, unchanged, against a real server; and what happens when a client goes away."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

HELLO: Any = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
def ai(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models(ai: openai.OpenAI) -> None:
    assert [m.id for m in ai.models.list()] == ["tiny"] and ai.models.retrieve("tiny").id == "tiny"


def test_chat(ai: openai.OpenAI, model: Any) -> None:
    reply = ai.chat.completions.create(model="tiny", messages=HELLO, seed=3)
    ChatCompletion.model_validate(reply.to_dict(), strict=True)
    assert reply.choices[0].message.content == model.reply and reply._request_id
    assert reply.usage and reply.usage.total_tokens == 6


def test_chat_stream(ai: openai.OpenAI, model: Any) -> None:
    stream = ai.chat.completions.create(
        model="tiny", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    told = [ChatCompletionChunk.model_validate(chunk.to_dict(), strict=True) for chunk in stream]
    assert told[0].choices[0].delta.role == "assistant" and told[-1].usage
    assert "".join(c.choices[0].delta.content or "" for c in told if c.choices) == model.reply


def test_completions(ai: openai.OpenAI, model: Any) -> None:
    assert ai.completions.create(model="tiny", prompt="Once").choices[0].text == model.reply
    stream = ai.completions.create(model="tiny", prompt="Once", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == model.reply


def test_errors_are_the_clients_exceptions(ai: openai.OpenAI) -> None:
    create = ai.chat.completions.create
    with pytest.raises(openai.NotFoundError) as missing:
        create(model="gpt-9", messages=HELLO)
    assert missing.value.code == "model_not_found" and missing.value.param == "model"
    with pytest.raises(openai.BadRequestError) as long:
        create(model="tiny", messages=[{"role": "user", "content": "x " * 100}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as audio:
        create(model="tiny", messages=HELLO, audio={"voice": "alloy", "format": "wav"})
    assert audio.value.param == "audio"


def test_an_error_in_the_middle_of_a_stream(ai: openai.OpenAI, app: FastAPI, model: Any) -> None:
    model.paced = True
    stream = ai_stream(ai, model)
    next(stream)
    app.state.workers[0].close()
    model.gate.set()
    with pytest.raises(openai.APIError, match="stopping"):
        list(stream)


def ai_stream(ai: openai.OpenAI, model: Any) -> Iterator[ChatCompletionChunk]:
    model.gate.set()
    return iter(ai.chat.completions.create(model="tiny", messages=HELLO, stream=True))


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it becomes true before a time that only a fault can use up."""
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_a_stream_that_is_left_frees_the_worker_within_a_token(ai: openai.OpenAI, app: FastAPI, model: Any) -> None:
    model.paced, model.reply = True, "word " * 30
    stream: Any = ai.chat.completions.create
    model.gate.set()
    answer = stream(model="tiny", messages=HELLO, stream=True)
    next(iter(answer))
    (job,) = app.state.workers[0].running
    answer.close()
    assert eventually(job.closed.is_set)
    model.gate.set()
    assert eventually(lambda: model.ended == 1) and model.made == 2
    model.paced = False
    assert ai.chat.completions.create(model="tiny", messages=HELLO).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_leaves_before_the_first_token(address: str, app: FastAPI, model: Any, stream: bool) -> None:
    model.paced = True
    body = {"model": "tiny", "messages": HELLO, "stream": stream}

    async def leave() -> None:
        async with httpx.AsyncClient() as client:
            call = asyncio.ensure_future(client.post(f"{address}/v1/chat/completions", json=body))
            while not app.state.workers[0].running:
                await asyncio.sleep(0.01)
            call.cancel()

    asyncio.run(leave())
    (job,) = app.state.workers[0].running
    assert eventually(job.closed.is_set)
    model.gate.set()
    assert eventually(lambda: model.ended == 1) and model.made == 1


def test_more_than_may_wait_is_429(address: str, app: FastAPI, model: Any) -> None:
    model.paced, app.state.workers[0].waiting = True, 3
    answers: list[int] = []
    body = {"model": "tiny", "messages": HELLO, "max_tokens": 1}

    def ask() -> None:
        answers.append(httpx.post(f"{address}/v1/chat/completions", json=body, timeout=60).status_code)

    callers = [threading.Thread(target=ask) for _ in range(9)]
    for caller in callers:
        caller.start()
    assert eventually(lambda: answers.count(429) == 5)
    while any(caller.is_alive() for caller in callers):
        model.gate.set()
        time.sleep(0.005)
    assert sorted(answers) == [200] * 4 + [429] * 5


def test_a_huge_header_and_a_broken_request_do_not_hurt(address: str, ai: openai.OpenAI) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{address}/health", headers={"x": "y" * 5_000_000}).raise_for_status()
    assert ai.models.retrieve("tiny").id == "tiny"
