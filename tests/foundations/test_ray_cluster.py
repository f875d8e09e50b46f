"""Ray begins, or says why not."""

import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from gptwright.foundations.errors import ResourceError
from gptwright.foundations.ray_cluster import STARTS, open_ray


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ResourceError, match=r"Ray for the test; got none") as error,
        open_ray("the test"),
    ):
        pass
    assert "gptwright[ray]" in str(error.value)


class SlowRay(ModuleType):
    """A Ray whose node starts in time after so many failures."""

    def __init__(self, failures: int) -> None:
        super().__init__("ray")
        self.failures, self.begun, self.ended = failures, 0, 0

    def init(self, address: str, **_: object) -> None:
        self.begun += 1
        if self.begun <= self.failures:
            raise Exception("The current node timed out during startup.")  # as Ray does

    def shutdown(self) -> None:
        self.ended += 1

    def remote(self, made: Any) -> Any:
        return type("Remote", (), {"remote": staticmethod(lambda *_: None)})


@pytest.mark.parametrize("failures", [0, 1])
def test_a_ray_that_was_too_slow_is_started_again(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    ray = SlowRay(failures)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with open_ray("the test"):
        pass
    assert (ray.begun, ray.ended) == (1 + failures, 1 + failures)


def test_a_ray_that_does_not_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SlowRay(STARTS))
    with pytest.raises(ResourceError, match=r"timed out during startup") as error, open_ray("the test"):
        pass
    assert "RAY_ADDRESS=auto" in str(error.value)


@pytest.fixture
def addressed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SlowRay]:
    """Sets RAY_ADDRESS, of a cluster that never answers."""

    def ray_at(address: str) -> SlowRay:
        monkeypatch.setenv("RAY_ADDRESS", address)
        monkeypatch.setitem(sys.modules, "ray", ray := SlowRay(STARTS))
        return ray

    monkeypatch.setenv("RAY_NUM_REDIS_GET_RETRIES", "1")
    return ray_at


def test_an_address_where_nobody_listens_is_told_at_once(addressed: Callable[[str], SlowRay]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "127.0.0.1:99999"):
        ray = addressed(address)
        with pytest.raises(ResourceError, match=f"a Ray cluster at RAY_ADDRESS={address}") as error, open_ray("it"):
            pass
        assert "ray start --head" in error.value.remedy and not ray.begun


def test_an_address_where_others_listen_and_one_without_a_port_are_left_to_ray(
    addressed: Callable[[str], SlowRay],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        for address in (f"127.0.0.1:{other.getsockname()[1]}", "auto"):
            ray = addressed(address)
            with pytest.raises(ResourceError, match=f"RAY_ADDRESS={address}; got The current node"), open_ray("it"):
                pass
            assert ray.begun == 1
