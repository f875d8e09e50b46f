"""Several processes, started once for all tests of this room."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import gptwright
from gptwright.foundations.atomic_io import write_text

SCRIPT = Path(__file__).with_name("many.py")
SOURCE = Path(gptwright.__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(count: int, folder: Path) -> None:
    """`count` processes that run many.py; fails with what they said."""
    everywhere = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1",
                  "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1",
                  "PYTHONPATH": os.pathsep.join(map(str, (SOURCE, SCRIPT.parents[1])))}  # fmt: skip
    processes = [
        subprocess.Popen([sys.executable, str(SCRIPT), str(folder)], stderr=subprocess.PIPE, text=True,
                         env=os.environ | everywhere | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(count)
    ]  # fmt: skip
    said = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, "\n".join(said)


def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("many", SCRIPT)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def search(folder: Path) -> dict[str, Any]:
    many = script()
    found = {"one": many.everything(many.ALONE, "one", folder)}
    for count in (2, 4):
        start(count, folder)
        found |= json.loads((folder / f"found-{count}.json").read_text())
    found["one again"] = many.everything(many.ALONE, "one again", folder)
    return found


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Any]:
    """By the name of the mesh, what its processes found; "one" is one process, "one again" goes on from all others.

    Where pytest itself runs on several processes, the first that asks searches, and the others wait for it.
    """
    torch.set_num_threads(1)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "many"
    answer, failed = folder / "found.json", folder / "failed"
    try:
        folder.mkdir()
    except FileExistsError:
        while not answer.exists():
            assert not failed.exists(), "the processes failed: see the other test"
            time.sleep(0.1)
        return json.loads(answer.read_text())
    try:
        found = json.dumps(search(folder))
    except BaseException:
        failed.touch()
        raise
    write_text(answer, found)
    return json.loads(found)
