"""A corpus that several machines read: whoever reads what, and whoever is killed, the bytes are the same."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gptwright.configs.prepare import Prepare
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.runs import finished_stage
from gptwright.recipes.stage import execute_stage
from gptwright.text import parts

OPTIONS = ("--near-duplicates", "0.8")
LEFT = ("train.jsonl", "heldout.jsonl", "sources.json")


def corpus(folder: Path, texts: int, files: int = 2, words: int = 150) -> Path:
    """Files of lines, one text in ten almost again."""
    dice, known = random.Random(1), [f"word{i}" for i in range(2_000)]
    folder.mkdir()
    for number in range(files):
        with (folder / f"{number}.jsonl").open("w") as file:
            for _ in range(texts):
                text = "The text that is with " + " ".join(dice.choices(known, k=words)) + " to have."
                again = dice.random() < 0.1
                file.writelines(json.dumps({"text": each}) + "\n" for each in [text, text + " More."][: 1 + again])
    return folder


def prepare(data: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "gptwright", "prepare", "--data", str(data), "--out", str(out), *more]


def bytes_of(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in LEFT}


def test_two_tasks_of_an_array_fill_one_folder_and_the_last_command_joins(tmp_path: Path) -> None:
    data, shared = corpus(tmp_path / "data", 900, 3, 600), tmp_path / "parts"
    subprocess.run(prepare(data, tmp_path / "alone", *OPTIONS), check=True)
    tasks = [
        subprocess.Popen(prepare(data, tmp_path / f"share-{i}", "--share", f"{i}/3", "--parts", str(shared), *OPTIONS))
        for i in (1, 2)  # the third has never begun
    ]
    assert [task.wait() for task in tasks] == [0, 0]
    read = {path.name: path.stat().st_mtime_ns for path in shared.iterdir()}
    assert read and [finished_stage(tmp_path / f"share-{i}")["metrics"]["parts"] for i in (1, 2)] == [1, 1]
    assert not (tmp_path / "share-1" / "train.jsonl").exists()
    subprocess.run(prepare(data, tmp_path / "joined", "--parts", str(shared), *OPTIONS), check=True)
    assert bytes_of(tmp_path / "joined") == bytes_of(tmp_path / "alone")
    now = {path.name: path.stat().st_mtime_ns for path in shared.iterdir()}
    assert now.items() >= read.items()


def test_a_share_reads_its_part_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, shared = corpus(tmp_path / "data", 300), tmp_path / "parts"
    alone = execute_stage("prepare", Prepare(data=(str(data),)), tmp_path / "alone")
    monkeypatch.setattr(parts, "PART", 50_000)
    found = dict[str, list[str]]()
    for share in ("1/3", "2/3", "3/3"):
        config = Prepare(data=(str(data),), parts=shared, share=share)
        done = execute_stage("prepare", config, tmp_path / share.replace("/", "-"))
        found[share] = sorted(done.record["inputs"])
    assert found["1/3"] == found["2/3"] == [(data / f"{i}.jsonl").as_posix() for i in range(2)]
    read = sorted(shared.iterdir())
    assert len(read) > 10
    monkeypatch.setattr(parts, "_write", lambda *_: 1 / 0)  # nothing is read again
    joined = execute_stage("prepare", Prepare(data=(str(data),), parts=shared), tmp_path / "joined")
    assert bytes_of(joined.path) == bytes_of(alone.path) and sorted(shared.iterdir()) == read


@pytest.mark.parametrize("share", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_a_share_that_is_none(share: str) -> None:
    with pytest.raises(ConfigError, match="a share such as 3/16"):
        Prepare(share=share, parts=Path("parts"))


def test_a_share_needs_a_folder_for_all() -> None:
    with pytest.raises(ConfigError, match="a folder for the share"):
        Prepare(share="1/2")


def test_killed_inside_of_a_file_and_begun_again(tmp_path: Path) -> None:
    """First when a part is there and the next is read, then at any moment."""
    data, out = corpus(tmp_path / "data", 1_900, 1, 600), tmp_path / "killed"
    assert (data / "0.jsonl").stat().st_size > parts.PART
    command = prepare(data, out, "--workers", "2", "--mask", "email")
    subprocess.run(prepare(data, tmp_path / "alone", "--mask", "email"), check=True)
    first = subprocess.Popen(command)
    while not (there := list((out / "parts").glob("*.zst"))):
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.wait()
    read = {path: path.stat().st_mtime_ns for path in there}
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(command, timeout=random.Random(1).uniform(0.1, 0.8), check=False)
    assert {path: path.stat().st_mtime_ns for path in there} == read
    subprocess.run(command, check=True)
    assert bytes_of(out) == bytes_of(tmp_path / "alone") and not (out / "parts").exists()
