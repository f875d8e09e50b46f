"""Who may reach the server, and what is said when the port is taken."""

import socket

import pytest

from gptwright.foundations.errors import ConfigError, ResourceError
from gptwright.serving.server import check_public, take_port


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
