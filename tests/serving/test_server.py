"""Who may reach the server, what is said when the port is taken, and how a server that runs is ended."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from tests.serving import draining_server

from gptwright.foundations.errors import ConfigError, ResourceError
from gptwright.serving.server import check_public, take_port
from gptwright.store.database import open_store
from gptwright.store.tables import Message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
def test_this_machine_needs_no_key(host: str) -> None:
    check_public(host, {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_other_machines_need_one(host: str) -> None:
    with pytest.raises(ConfigError, match="--api-key"):
        check_public(host, {})
    check_public(host, {"a": "secret"})


@pytest.mark.parametrize("key", ["", "  "])
def test_an_empty_key_is_none(key: str) -> None:
    with pytest.raises(ConfigError):
        check_public("127.0.0.1", {"a": key})


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ResourceError, match=f"port {port}") as refused:
            take_port("127.0.0.1", port)
        assert refused.value.got == "in use by another program" and f"--port {port + 1}" in refused.value.remedy


def test_two_servers_that_start_at_once_do_not_share_a_port() -> None:
    with take_port("127.0.0.1", 0) as first, pytest.raises(ResourceError):
        take_port("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("127.0.0.1", -1), ("no.such.host.invalid", 0), ("192.0.2.1", 0)]
)
def test_addresses_that_are_not_ours(host: str, port: int) -> None:
    with pytest.raises(ConfigError):
        take_port(host, port)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", draining_server.__name__, str(tmp_path / "store.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.kill()


async def streamed(client: httpx.AsyncClient, begun: asyncio.Event) -> list[str]:
    """The events of a stream."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 60}
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        events = list[str]()
        async for line in response.aiter_lines():
            events += [line.removeprefix("data: ")] if line else []
            begun.set()
    return events


def text_of(events: list[str]) -> str:
    """What a stream said, which has come to its end."""
    *chunks, end = events
    assert end == "[DONE]" and '"finish_reason":"stop"' in chunks[-1]
    return "".join(json.loads(chunk)["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def ask_and_stop(server: "subprocess.Popen[str]") -> list[list[str]]:
    """The events of three streams, of which one waits for others, when the server is told to end; before them an answer
    is asked for that nobody reads. The server ends by itself, without a fault, and lets in nobody meanwhile."""
    assert server.stdout
    address = f"http://127.0.0.1:{int(server.stdout.readline())}"

    async def go() -> list[list[str]]:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            path = f"/api/conversations/{(await client.post('/api/conversations', json={})).json()['id']}"
            asked = {"message": {"content": "Hi"}, "max_tokens": 60}
            assert (await client.post(f"{path}/answers", json=asked)).status_code == 202
            begun = [asyncio.Event() for _ in range(3)]
            streams = [asyncio.create_task(streamed(client, event)) for event in begun]
            await begun[0].wait()
            server.terminate()
            with pytest.raises(httpx.ConnectError):
                while True:
                    httpx.get(f"{address}/health")
                    await asyncio.sleep(0.01)
            return await asyncio.gather(*streams)

    said = asyncio.run(go())
    out, err = server.communicate(timeout=60)
    assert (server.returncode, out) == (0, "ended\n") and "Traceback" not in err, err
    return said


def kept(folder: Path) -> tuple[str, str]:
    """The answer that nobody read, and how it ended."""
    with open_store(folder / "store.sqlite") as store, store.read() as session:
        answer = session.scalars(select(Message).where(Message.role == "assistant")).one()
        assert answer.generation
        return answer.content[0]["text"], answer.generation["finish"]


def test_told_to_end_it_lets_in_nobody_else_and_writes_all_to_the_end(
    slow: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    said = ask_and_stop(slow)
    assert list(map(text_of, said)) == [draining_server.REPLY] * 3
    assert kept(tmp_path) == (draining_server.REPLY, "stop")
