"""A worker of Ray that is killed in the middle changes nothing; another disk, another version, no head are told."""

import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gptwright.foundations import ray_cluster, ray_tasks
from gptwright.foundations.errors import InputError, ProcessLost, ResourceError
from gptwright.foundations.ray_cluster import open_ray
from gptwright.foundations.ray_tasks import Place, RayTasks

HOST = socket.gethostname()


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


class RayWithoutHead(SimpleNamespace):
    """A Ray that is never done, whose head ends after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks, self.head, self.cancelled = looks, socket.create_server(("127.0.0.1", 0)), list[object]()
        host, port = self.head.getsockname()
        self.get_runtime_context = lambda: SimpleNamespace(gcs_address=f"{host}:{port}")
        self.cluster_resources = lambda: {"CPU": 1.0}
        self.put = self.cancel = self.cancelled.append

    def remote(self, made: Any = None, **_: object) -> Any:
        return (lambda work: SimpleNamespace(remote=lambda _, item: item)) if made is None else made

    def wait(self, running: list[object], timeout: float) -> tuple[list[object], list[object]]:
        self.looks -= 1
        if not self.looks:
            self.head.close()
        return [], running


def test_a_head_that_is_gone_is_told_before_ray_ends_this_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = RayWithoutHead(3)
    monkeypatch.setattr(ray_cluster, "SECONDS_AWAY", 0.0)
    with pytest.raises(ProcessLost, match=r"the head of the Ray cluster at 127\.0\.0\.1:\d+; got nobody") as error:
        list(RayTasks(ray, 2, tmp_path).map(abs, [1, 2, 3]))
    assert "it goes on from what was done" in error.value.remedy
    assert "2 workers are asked for and the Ray cluster has 1 processors" in capsys.readouterr().err
    assert ray.looks <= 0 and ray.cancelled[1:] == [1, 2] and not list(tmp_path.iterdir())


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


def test_an_error_on_another_machine_says_on_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mark").touch()
    for machine, told in (("head", f"13, on the machine {HOST}"), (HOST, "13")):
        with pytest.raises(InputError) as raised:
            ray_tasks.work_in((Place(str(tmp_path), Path("mark"), machine), partial(in_its_folder, tmp_path)), 13)
        assert (raised.value.got, raised.value.remedy) == (told, "Take another.")


class RaySays(Exception):
    """What Ray raises."""


class TaskFailed(RaySays):
    """What it raises for a task."""

    cause = RaySays("System error: No module named 'gptwright'\nTraceback")


def test_a_machine_without_gptwright_is_told(tmp_path: Path) -> None:
    ray = RayWithoutHead(9)
    ray.exceptions = SimpleNamespace(RayTaskError=TaskFailed, RayError=RaySays)
    ray.wait = lambda running, timeout: (running[:1], running[1:])

    def get(answer: object) -> None:
        raise TaskFailed

    ray.get = get
    with pytest.raises(ResourceError, match=r"on every machine .*; got System error: No module named 'gptwright'\.\n"):
        list(RayTasks(ray, 2, tmp_path).map(abs, [1, 2, 3]))
    ray.head.close()


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
