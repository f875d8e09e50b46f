"""A served tiny model. The server runs in the package's own environment, the clients in theirs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    python = os.environ.get("GPTWRIGHT_PYTHON", str(ROOT / ".venv/bin/python"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    server = subprocess.Popen([python, str(HERE / "server.py"), str(folder)], env=environment, stdout=subprocess.PIPE,
                              text=True)  # fmt: skip
    assert server.stdout
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait(30)
