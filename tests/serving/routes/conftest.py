"""A client of the routes; its requests share one event loop, so that answers go on between them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from tests.serving.conftest import FakeModel, running

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.tokenizers.tokenizer import Tokenizer

Talk = Callable[["Http"], Awaitable[Any]]


class Http:
    """Short words for requests. `Http.refused` is what an error says."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = "", status: int = 200) -> Any:
        """The JSON of an answer that must have this status."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        given = {} if body is None else {"json": body}
        answer = await self.client.request(method, path, headers=headers, **given)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def conversation(self, *texts: str, key: str = "") -> tuple[str, list[str]]:
        """A new one with messages of the user and the assistant in turn; its id, and theirs."""
        id = (await self.ask("POST", "/api/conversations", {}, key=key, status=201))["id"]
        messages: list[str] = []
        for at, text in enumerate(texts):
            body = {"role": ("user", "assistant")[at % 2], "content": text, "parent_id": (messages or [None])[-1]}
            path = f"/api/conversations/{id}/messages"
            messages.append((await self.ask("POST", path, body, key=key, status=201))["id"])
        return id, messages

    async def answer(self, id: str, message: str, *, key: str = "", **fields: Any) -> Any:
        """Asked for and followed to its end: the message as it is stored."""
        path, body = f"/api/conversations/{id}/answers", {"message_id": message, **fields}
        begun = await self.ask("POST", path, body, key=key, status=202)
        return [event async for event in self.events(begun["id"], key=key)][-1]["message"]

    async def events(self, id: str, offset: int = 0, *, key: str = "", last: str = "") -> AsyncIterator[Any]:
        """What is told of an answer."""
        headers = ({"authorization": f"Bearer {key}"} if key else {}) | ({"last-event-id": last} if last else {})
        path = f"/api/answers/{id}/events?offset={offset}"
        async with self.client.stream("GET", path, headers=headers) as response:
            assert response.status_code == 200, await response.aread()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))


@pytest.fixture
def real(network: GPT2, tokenizer: Tokenizer) -> Model:
    """A tiny network that writes."""
    return Model(network, tokenizer, "real", GenerationConfig.of(Sampling(max_tokens=8, temperature=1.0)))


@pytest.fixture
def talk(client: Any, model: FakeModel, store: Store) -> Callable[..., Any]:
    """`talk(function, **options of create_app)` runs a function of an `Http`; `network`: of a real server, whose events
    come when they are sent."""

    async def run(function: Talk, opened: httpx.AsyncClient) -> Any:
        async with opened:
            return await function(Http(opened))

    def start(function: Talk, *, network: bool = False, **options: Any) -> Any:
        if not network:
            return asyncio.run(run(function, client(**options)))
        models = {model.name: model, **options.pop("more", {})}
        with running(create_app(models, store, **options)) as address:  # pyright: ignore[reportArgumentType]
            return asyncio.run(run(function, httpx.AsyncClient(base_url=address, timeout=30)))

    return start
