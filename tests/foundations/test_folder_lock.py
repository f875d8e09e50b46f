"""One process at a time: the second is told, the dead hold nothing, nothing stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gptwright.foundations import folder_lock as module
from gptwright.foundations.errors import ResourceError
from gptwright.foundations.folder_lock import LOCK, lock_folder

HOLD = """
import sys, time
from pathlib import Path
from gptwright.foundations.folder_lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_works_there_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with holder(folder) as first:
        with pytest.raises(ResourceError) as error, lock_folder(folder):
            pass
        assert f"process {first.pid} on " in error.value.got and "--out" in error.value.remedy
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert (folder / LOCK).exists()
        with lock_folder(folder):
            assert f'"pid": {os.getpid()}' in (folder / LOCK).read_text()
    assert not (folder / LOCK).exists()


def test_an_empty_folder_that_it_made_goes_again_and_others_stay(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    with lock_folder(tmp_path / "mine"):
        pass
    assert list((tmp_path / "mine").iterdir()) == []
    with lock_folder(tmp_path / "work"):
        (tmp_path / "work/file").write_text("x")
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["file"]


def test_one_process_may_hold_it_twice(tmp_path: Path) -> None:
    with lock_folder(tmp_path), lock_folder(tmp_path):
        assert (tmp_path / LOCK).exists()


def test_the_first_of_several_holds_it_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with holder_of_rank_0(tmp_path) as first, lock_folder(tmp_path):
        first.kill()


def holder_of_rank_0(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True,
                               env=os.environ | {"RANK": "0"})  # fmt: skip
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("number", [13, 30, 38, 95])  # no right, read-only, no such call, not supported
def test_where_nothing_can_be_locked_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*words: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    if number == 13:
        monkeypatch.setattr(module.fcntl, "flock", lambda *words: None)
        monkeypatch.setattr(module.os, "open", lambda *words: refuse())
    with lock_folder(tmp_path):
        done = True
    assert done


def test_a_file_in_the_way_is_met_by_the_work_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with lock_folder(tmp_path / "file" / "run"):
        pass
