"""Every test of the store runs on SQLite and, where there is one, on a PostgreSQL of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from choice import WITHOUT, program
from gptwright.store.database import Store, open_store


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The options with which to reach a server that this session started; it listens to no network."""
    initdb = program("postgresql")
    if initdb is None:
        pytest.fail(WITHOUT["postgresql"])
    programs = Path(initdb).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    who: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.getuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        who |= {"user": "postgres", "group": "postgres", "extra_groups": ()}
    data, options = folder / "data", f"host={folder} user=postgres"
    subprocess.run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
                   check=True, **who)  # fmt: skip
    server = subprocess.Popen([programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=",
                               "-c", "fsync=off"], **who)  # fmt: skip
    try:
        _wait(options)
        yield options
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(options: str) -> None:
    for _ in range(200):
        try:
            psycopg.connect(f"{options} dbname=postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    pytest.fail("PostgreSQL does not answer")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database."""
    if request.param == "sqlite":
        return str(tmp_path / "store.sqlite")
    return new_database(request.getfixturevalue("postgresql"))


def new_database(options: str) -> str:
    """The URL of another database of the server."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{options} dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    folder = options.partition("host=")[2].partition(" ")[0]
    return f"postgresql://postgres@/{name}?host={folder}"


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened
