"""Ray begins, or says why not; and a worker of it that is killed in the middle changes nothing."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gptwright.foundations.errors import InputError, ProcessLost, ResourceError
from gptwright.foundations.ray_cluster import STARTS, Place, RayTasks, open_ray

HOST = socket.gethostname()


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


def in_its_folder(folder: Path, number: int) -> tuple[int, Path, str]:
    """Ends the process that has it the first time, where its number is 3; refuses 13."""
    mark = folder / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 13:
        raise InputError("a lucky number", "13", "Take another.")
    if number == 99:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number, Path.cwd(), str(os.getpid())


@pytest.fixture
def addressed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SlowRay]:
    """Sets RAY_ADDRESS, of a cluster that never answers."""

    def ray_at(address: str) -> SlowRay:
        monkeypatch.setenv("RAY_ADDRESS", address)
        monkeypatch.setitem(sys.modules, "ray", ray := SlowRay(STARTS))
        return ray

    for name in ("RAY_BACKEND_LOG_LEVEL", "RAY_NUM_REDIS_GET_RETRIES"):
        monkeypatch.setenv(name, "1")
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


def test_a_process_knows_whether_it_sees_the_same_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, mark = Path.cwd(), tmp_path / "mark"
    monkeypatch.chdir(here)  # so that it is undone
    place = Place(str(tmp_path), mark, "head")
    with pytest.raises(ResourceError, match=f"on every machine as on head; got other folders, or none, on {HOST}"):
        place.enter()
    mark.touch()
    place.enter()
    assert Path.cwd() == tmp_path
    with pytest.raises(ResourceError, match="other folders, or none"):
        Place(str(tmp_path / "gone"), mark).enter()
    with pytest.raises(ResourceError, match=r"gptwright 0\.0\.7 on every machine, as on head; got"):
        Place(str(tmp_path), mark, "head", "0.0.7").enter()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayTasks]:
    with open_ray("the test") as ray:
        yield RayTasks(ray, 2, tmp_path_factory.mktemp("made"))


@pytest.mark.ray
def test_one_is_killed_in_the_middle_and_another_does_its_work(
    tasks: RayTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(tasks.map(partial(in_its_folder, Path()), range(8)))
    assert [number for number, _, _ in found] == [i * i for i in range(8)]
    assert not list(tasks.folder.iterdir())
    assert {folder for _, folder, _ in found} == {tmp_path} and (tmp_path / "killed").exists()
    assert str(os.getpid()) not in {process for _, _, process in found}


@pytest.mark.ray
def test_an_error_comes_whole_and_what_kills_all_is_told(tasks: RayTasks, tmp_path: Path) -> None:
    work = partial(in_its_folder, tmp_path)
    with pytest.raises(InputError, match="a lucky number; got 13") as raised:
        list(tasks.map(work, [1, 2, 13, 4]))
    assert raised.value.remedy == "Take another."
    with pytest.raises(ProcessLost, match="an answer of every process of Ray"):
        list(tasks.map(work, [1, 99]))
