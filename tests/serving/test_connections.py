"""A connection that sends nothing, or little at a time, or takes nothing, ends; thousands of them keep nobody out."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from fastapi import FastAPI
from tests.serving.conftest import running

from gptwright.serving import connections

REQUEST = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEAD_OF_A_BODY = b"POST /none HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n"


@pytest.fixture
def port(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a server with little patience."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(connections, "TAKE_SECONDS", 0.3)
    monkeypatch.setattr(connections, "MOST", 20)
    with running(app) as address:
        yield int(address.rsplit(":", 1)[1])


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def told(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    found = b""
    with suppress(ConnectionError):
        while piece := client.recv(65536):
            found += piece
    return found


def answered(client: socket.socket) -> bool:
    """Whether the next answer is that all is well."""
    found = b""
    while not found.endswith(b'{"status":"ok"}') and (piece := client.recv(65536)):
        found += piece
    return found.startswith(b"HTTP/1.1 200 ")


def drip(client: socket.socket, bytes_of_it: bytes) -> bytes:
    """Sends one byte after another, each long before the deadline, until the connection is ended; what was told."""
    client.settimeout(0.02)
    found = b""
    for byte in bytes_of_it:
        with suppress(ConnectionError):
            client.send(bytes([byte]))
        try:
            piece = client.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return found
        if not piece:
            return found
        found += piece
    raise AssertionError("the connection outlived its deadline")


def test_silence_is_ended_without_a_word(port: int) -> None:
    with opened(port) as client:
        assert told(client) == b""


def test_a_head_byte_by_byte_is_a_408(port: int) -> None:
    with opened(port) as client:
        assert drip(client, b"GET /health HTTP/1.1\r\nx: " + b"y" * 1000).startswith(b"HTTP/1.1 408 ")


def test_so_is_the_next_head_of_a_connection_that_was_answered(port: int) -> None:
    with opened(port) as client:
        client.sendall(REQUEST)
        assert answered(client)
        assert drip(client, b"GET /health HTTP/1.1\r\nx: " + b"y" * 1000).startswith(b"HTTP/1.1 408 ")


def test_a_body_behind_its_answer_ends_too(port: int) -> None:
    with opened(port) as client:
        client.sendall(HEAD_OF_A_BODY)
        assert drip(client, b"x" * 1000).startswith(b"HTTP/1.1 404 ")


def test_whoever_asks_in_time_is_answered_again_and_again(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the time for one head, which each has anew."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    with opened(port) as client:
        for _ in range(4):
            client.sendall(REQUEST[:20])
            time.sleep(0.3)
            client.sendall(REQUEST[20:])
            assert answered(client)


def test_a_reader_who_takes_nothing_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left, lose = threading.Event(), connections.BoundedConnection.connection_lost

    def lost(self: connections.BoundedConnection, exc: Exception | None) -> None:
        left.set()
        lose(self, exc)

    monkeypatch.setattr(connections, "HEAD_SECONDS", 600.0)
    monkeypatch.setattr(connections.BoundedConnection, "connection_lost", lost)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n" * 200)
        assert left.wait(30)


def test_however_many_are_idle_the_next_is_answered(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 600.0)
    with ExitStack() as stack:
        idle = [stack.enter_context(opened(port)) for _ in range(200)]
        for _ in range(3):
            assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
        for client in idle[:150]:
            assert told(client) == b""
        idle[-1].sendall(REQUEST)
        assert answered(idle[-1])
