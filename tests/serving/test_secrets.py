"""What people write and how they come in stands in no log, on no terminal, and in nobody else's answer."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.serving.conftest import FakeModel, running

from gptwright.serving.api import create_app
from gptwright.store.database import Store, open_store

PROMPT, KEY, PASSWORD, GUESS = "canary-of-a-prompt", "canary-of-a-key", "canary-of-a-password", "canary-of-a-guess"
VALUES: dict[str, Any] = {
    "model": "tiny", "prompt": PROMPT, "messages": [{"role": "user", "content": PROMPT}], "input": PROMPT,
    "instruction": PROMPT, "input_prefix": PROMPT, "input_suffix": PROMPT, "title": PROMPT, "content": PROMPT,
    "role": "user", "value": PROMPT, "text": PROMPT, "reason": PROMPT, "password": PASSWORD, "old": PASSWORD,
    "guidelines": PROMPT, "rating": "up", "conversation": [{"role": "user", "content": PROMPT},
    {"role": "assistant", "content": PROMPT}], "user": PROMPT, "stop": [PROMPT], "message_id": PROMPT,
    "kind": "improve",
    "labels": [{"kind": "comment", "message_id": "x", "value": PROMPT}], "name": "anna",
    "tasks": [{"kind": "rating", "message_id": PROMPT}],
}  # fmt: skip


UNMADE = {"/infill", "/v1/edits"}
"""addresses for which the model of these tests has no marks, so that it fails there"""


@pytest.fixture
def listened(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def requests(document: Any) -> Iterator[tuple[str, str, Any]]:
    """To every route: all that it takes with a canary in it, a wrong value, and one field that it does not know."""
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            address = path.replace("{id}", PROMPT).replace("{name}", "anna").replace("{kind}", "comment")
            if "requestBody" not in operation:
                yield method, f"{address}?search={PROMPT}&q={PROMPT}", None
                continue
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            fields = schemas[schema["$ref"].rsplit("/", 1)[1]]["properties"]
            whole = {name: value for name, value in VALUES.items() if name in fields}
            yield from (
                (method, address, body) for body in (whole, whole | {"model": [PROMPT]}, whole | {PROMPT: PROMPT})
            )


def said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """All that was logged or printed, tracebacks too. The client's own lines, which tell addresses, are its own."""
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    lines = [logging.Formatter("%(message)s").format(record) for record in ours]
    return "\n".join([*lines, *capfd.readouterr()])


@pytest.mark.parametrize("reply", ["Hello there.", "crash"])
def test_no_log_tells_what_anybody_wrote_or_came_in_with(
    model: FakeModel, store: Store, listened: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], reply: str
) -> None:
    model.reply = reply
    app = create_app({model.name: model}, store, keys={"root": KEY})  # pyright: ignore[reportArgumentType]
    with running(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        head = {"authorization": f"Bearer {KEY}"}
        sent = list(requests(client.get("/openapi.json", headers=head).json()))
        statuses = [client.request(method, path, json=body, headers=head).status_code for method, path, body in sent]
        for given in (f"Bearer {GUESS}", f"Bearer gw-{GUESS}", f"Basic {GUESS}"):
            headers = {"authorization": given, "cookie": f"gptwright={GUESS}"}
            assert client.get("/v1/models", headers=headers).status_code == 401
        broken = [client.post("/v1/completions", content=f'{{"prompt": "{PROMPT}"'.encode(), headers=head)]
    assert len(sent) > 60 and {200, 400, 404} <= set(statuses) and broken[0].status_code == 400
    failed = {path for status, (_, path, _) in zip(statuses, sent, strict=True) if status >= 500}
    assert bool(failed - UNMADE) == (reply == "crash"), failed
    told = said(listened, capfd)
    assert "canary" not in told and ("the model failed" in told) == (reply == "crash")


def test_a_store_that_cannot_says_so_without_what_it_should_have_kept(
    client: Any, store: Store, tmp_path: Any, listened: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def go() -> httpx.Response:
        async with client() as caller:
            return await caller.post("/api/conversations", json={"title": PROMPT})

    with open_store(tmp_path / "run") as other, other.write():
        answer = asyncio.run(go())
    told = said(listened, capfd)
    assert answer.status_code == 503 and "canary" not in told + answer.text and "locked" in told
