"""Bodies that are hostile or broken end in a 4xx of OpenAI's shape, never in a 500."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gptwright.serving import request_body as reading

DEEP = 100_000
PATHS = ("/v1/chat/completions", "/v1/completions", "/feedback")


def raw(make: Any, content: Any, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
    async def go() -> httpx.Response:
        async with make() as client:
            return await client.post(path, content=content, headers=headers)

    return asyncio.run(go())


HOSTILE = {
    "empty": b"",
    "cut short": b'{"model": "tiny", "messages": [',
    "not an object": b"[1, 2]",
    "a number": b"3",
    "NaN": b'{"model": "tiny", "temperature": NaN, "messages": [{"role": "user", "content": "x"}]}',
    "infinity": b'{"model": "tiny", "temperature": 1e999, "messages": [{"role": "user", "content": "x"}]}',
    "minus infinity": b'{"model": "tiny", "temperature": -Infinity}',
    "lists all the way down": b"[" * DEEP,
    "closed lists all the way down": b"[" * DEEP + b"]" * DEEP,
    "objects all the way down": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in a harmless field": b'{"model": "tiny", "metadata": ' + b"[" * 200 + b"]" * 200 + b"}",
    "half a surrogate pair": rb'{"model": "tiny", "messages": [{"role": "user", "content": "\ud800"}]}',
    "half a surrogate pair as a key": rb'{"model": "tiny", "metadata": {"\udfff": 1}}',
    "not UTF-8": b'{"model": "\xff\xfe"}',
    "another coding": '{"model": "tiny"}'.encode("utf-16"),
    "a number of 5000 digits": b'{"model": "tiny", "seed": ' + b"9" * 5000 + b"}",
    "a zero byte": b'{"model": "tiny\x00"}',
    "a form": b"model=tiny",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("path", PATHS)
def test_hostile_bodies_are_400(client: Any, model: Any, path: str, content: bytes) -> None:
    answer = raw(client, content, path)
    assert answer.status_code == 400 and set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert not model.asked and "Traceback" not in answer.text


@pytest.mark.parametrize(("count", "status"), [("3", 200), ("3.0", 200), ("3e0", 200), ("0.3e1", 200), ("3.5", 400),
                                               ("1e300", 400), ("true", 400), ('"3"', 400)])  # fmt: skip
def test_an_integer_is_one_however_it_is_written(client: Any, model: Any, count: str, status: int) -> None:
    body = f'{{"model": "tiny", "messages": [{{"role": "user", "content": "x"}}], "max_tokens": {count}}}'
    assert raw(client, body).status_code == status
    assert [sampling.max_tokens for _, sampling in model.asked] == [3] * (status == 200)


def test_a_body_of_exactly_the_limit_is_read_and_one_more_byte_is_413(client: Any) -> None:
    start = b'{"model": "none", "messages": [{"role": "user", "content": "'
    whole = start + b"x" * (reading.MAX_BYTES - len(start) - 4) + b'"}]}'
    assert raw(client, whole).status_code == 404
    assert raw(client, whole + b" ").status_code == 413


def test_a_long_body_without_announcement_is_413(client: Any) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    assert raw(client, chunks()).status_code == 413


@pytest.mark.parametrize("length", ["99999999999999999999999999", "many", "-1"])
def test_a_false_length_never_is_a_500(client: Any, length: str) -> None:
    assert raw(client, b"{}", **{"content-length": length}).status_code in (400, 413)


def test_a_body_that_never_ends_is_408(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_SECONDS", 0.05)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    assert raw(client, chunks()).status_code == 408


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["model", "messages", "prompt", "temperature", "stop", "n", "stream", "seed", "tools", "rating",
                         "conversation", "stream_options", "max_tokens", "metadata", "id"])  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(names, json_values, max_size=5), path=st.sampled_from(PATHS))
def test_any_json_is_answered_below_500(client: Any, fields: dict[str, Any], path: str) -> None:
    valid = {"model": "tiny", "messages": [{"role": "user", "content": "x"}], "prompt": "x"}
    answer = raw(client, json.dumps((valid if path != "/feedback" else {}) | fields), path)
    assert answer.status_code < 500
    assert answer.status_code == 200 or "error" in answer.json()
