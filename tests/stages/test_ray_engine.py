"""prepare and tokenize on Ray, a worker of which is killed in the middle: the bytes of one process."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import psutil
import pytest

from gptwright.pipelines.packing import PARTS

PACKED = [f"{split}.{end}" for split in ("train", "heldout") for end in ("bin", "idx", "json")]
LEFT = {"prepare": ["train.jsonl", "heldout.jsonl", "sources.json"], "tokenize": ["tokenizer.json", *PACKED]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of lines, some 28 MB, so several parts."""
    dice, known = random.Random(1), [f"word{i}" for i in range(2_000)]
    path = tmp_path_factory.mktemp("data") / "lines.jsonl"
    with path.open("w") as file:
        for _ in range(6_000):
            file.write(
                json.dumps({"text": f"The text that is with {' '.join(dice.choices(known, k=600))} to have."}) + "\n"
            )
    return path


@pytest.fixture(scope="module")
def prepared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "prepare"
    subprocess.run(command("prepare", data, out), check=True)
    return out


def command(verb: str, given: Path, out: Path, *more: str) -> list[str]:
    options = ["--data", str(given)] if verb == "prepare" else ["--text", str(given), "--vocab", "400"]
    return [sys.executable, "-m", "gptwright", verb, *options, "--out", str(out), *more]


@pytest.mark.ray
@pytest.mark.parametrize("verb", LEFT)
def test_two_workers_of_ray_one_of_them_killed(verb: str, data: Path, prepared: Path, tmp_path: Path) -> None:
    """As a person would: the cluster is this machine, and the worker is killed once the first part is there."""
    alone, out, killed = tmp_path / "alone", tmp_path / "ray", list[int]()
    given = data if verb == "prepare" else prepared
    subprocess.run(command(verb, given, alone), check=True)
    on_ray = subprocess.Popen(command(verb, given, out, "--engine", "ray", "--workers", "2"))

    def kill_one() -> None:
        while on_ray.poll() is None and not killed:
            if list((out / PARTS).glob("[!.]*")):
                busy = [each for each in psutil.Process(on_ray.pid).children(recursive=True) if _is_working(each)]
                killed.extend(each.pid for each in busy[:1])
                for number in killed:
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.01)

    watcher = Thread(target=kill_one)
    watcher.start()
    assert on_ray.wait() == 0
    watcher.join()
    assert len(killed) == 1
    assert {name: (out / name).read_bytes() for name in LEFT[verb]} == {
        name: (alone / name).read_bytes() for name in LEFT[verb]
    }
    assert not (out / PARTS).exists()


def _is_working(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("ray::work_in")
    except psutil.Error:
        return False
