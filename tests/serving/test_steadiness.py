"""A server that is asked too much, left alone or told to stop is afterwards as it was before."""

import asyncio
import gc
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.serving.choices import ChoiceStreams
from gptwright.serving.worker import Job
from gptwright.store.database import Store
from gptwright.tokenizers.tokenizer import Tokenizer

LEAVERS = 1000
AT_ONCE = 25


@pytest.fixture
def real(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(max_tokens=6)), max_requests=4)


@pytest.fixture
def app(real: Model, store: Store) -> Iterator[FastAPI]:
    made = create_app({"tiny": real}, store)
    made.state.workers[0].waiting = 8
    yield made
    for worker in made.state.workers:
        worker.close()


def body(number: int, **more: Any) -> dict[str, Any]:
    return {"model": "tiny", "prompt": "the cat sat"[: 3 + number % 8], "seed": number, **more}


def left() -> Counter[str]:
    """Jobs and streams that somebody still holds: however many there were, at most the last."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if type(one) in (Job, ChoiceStreams))


async def settled(app: FastAPI, real: Model) -> None:
    """Waits until nobody is written for."""
    worker = app.state.workers[0]
    while worker.running or worker.queued or real.engine.scheduler.running or real.engine._decoding:
        await asyncio.sleep(0.01)


def test_ten_times_too_many_are_answered_or_told_to_wait(app: FastAPI, real: Model) -> None:
    async def go() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for _ in range(3):
                asked = [client.post("/v1/completions", json=body(number)) for number in range(120)]
                found = await asyncio.gather(*asked)
                statuses = Counter(answer.status_code for answer in found)
                assert set(statuses) == {200, 429} and statuses[200] >= 8, statuses
                assert all(int(one.headers["retry-after"]) > 0 for one in found if one.status_code == 429)
                await asyncio.wait_for(settled(app, real), 20)
                assert (
                    not app.state.workers[0]._queue and (await client.post("/v1/completions", json=body(1))).is_success
                )

    asyncio.run(go())
    assert left().total() <= 1


async def leave(app: FastAPI, path: str, asked: bytes, patience: int) -> None:
    """A request whose caller goes away after so many turns of the event loop, or pieces of the answer."""
    gone, sent = asyncio.Event(), [{"type": "http.request", "body": asked, "more_body": False}]

    async def receive() -> Any:
        if sent:
            return sent.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal patience
        patience -= 1
        if patience <= 0:
            gone.set()

    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
             "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"localhost")],
             "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1), "root_path": ""}  # fmt: skip
    asyncio.get_running_loop().call_later(patience / 200, gone.set)
    await app(scope, receive, send)


def test_a_thousand_who_leave_leave_nothing_behind(app: FastAPI, real: Model) -> None:
    drawn = random.Random(3)
    app.state.workers[0].waiting = AT_ONCE

    async def go() -> None:

        for start in range(0, LEAVERS, AT_ONCE):
            callers = [
                leave(app, "/v1/completions", json.dumps(body(number, max_tokens=40, stream=number % 3 > 0,
                      n=1 + number % 2)).encode(), drawn.randrange(8))
                for number in range(start, start + AT_ONCE)
            ]  # fmt: skip
            await asyncio.wait_for(asyncio.gather(*callers), 60)
        await asyncio.wait_for(settled(app, real), 20)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.post("/v1/completions", json=body(0))).status_code == 200
        await asyncio.wait_for(settled(app, real), 20)

    written = real.engine.tokens_written
    asyncio.run(go())
    assert left().total() <= 1
    assert real.engine.tokens_written - written < LEAVERS * 60  # whoever had stayed would have been written 40 or 80
