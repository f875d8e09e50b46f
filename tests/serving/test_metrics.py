"""What Prometheus is told: every request by route and status, nothing that anybody wrote."""

import asyncio
from typing import Any

import httpx

from gptwright.pipelines.model import Model


async def ask(make: Any, bodies: list[tuple[str, Any]], **options: Any) -> str:
    async with make(**options) as client:
        for path, body in bodies:
            await client.post(path, json=body)
        found: httpx.Response = await client.get("/metrics")
    assert found.status_code == 200 and found.headers["content-type"].startswith("text/plain; version=0.0.4")
    return found.text


def values(text: str) -> dict[str, float]:
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines()
                                                      if not line.startswith("#"))}  # fmt: skip


def test_requests_are_counted_by_route_and_status(client: Any) -> None:
    chat = {"model": "tiny", "messages": [{"role": "user", "content": "my secret"}]}
    text = asyncio.run(ask(client, [("/v1/chat/completions", chat)] * 2 + [("/v1/completions", {}), ("/secret", {})]))
    found = values(text)
    assert found['gptwright_requests_total{route="/v1/chat/completions",status="200"}'] == 2
    assert found['gptwright_requests_total{route="/v1/completions",status="400"}'] == 1
    assert found['gptwright_requests_total{route="other",status="404"}'] == 1 and "secret" not in text
    assert found['gptwright_requests_running{model="tiny"}'] == 0 == found['gptwright_requests_queued{model="tiny"}']
    assert found['gptwright_request_seconds_total{route="/v1/chat/completions"}'] > 0


def test_tokens_of_a_real_model(client: Any, network: Any, tokenizer: Any) -> None:
    model = Model(network, tokenizer, "real")
    body = {"model": "real", "prompt": [[5, 6, 7]], "max_tokens": 4, "logit_bias": {"9": 100}}
    found = values(asyncio.run(ask(client, [("/v1/completions", body)], more={"real": model})))
    assert found['gptwright_prompt_tokens_total{model="real"}'] == 3
    assert found['gptwright_completion_tokens_total{model="real"}'] == 4


def test_with_keys_it_needs_one(client: Any) -> None:
    async def go() -> int:
        async with client(keys={"ann": "k"}) as caller:
            return (await caller.get("/metrics")).status_code

    assert asyncio.run(go()) == 401
