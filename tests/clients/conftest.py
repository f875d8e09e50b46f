"""A served tiny model. The server runs in the package's own environment, the clients in theirs."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    with started(folder, 2048) as found:
        yield found


@contextmanager
def started(folder: Path, context: int, *key: str) -> Iterator[str]:
    """The address of a server that ends with the block."""
    python = os.environ.get("GPTWRIGHT_PYTHON", str(ROOT / ".venv/bin/python"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [python, str(HERE / "server.py"), str(folder), str(context), *key]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        assert server.wait(60) == 0


@pytest.fixture
def start() -> Callable[..., AbstractContextManager[str]]:
    """`with start(folder, context, key) as address`."""
    return started
