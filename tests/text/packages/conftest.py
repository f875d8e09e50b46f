"""Registries of our own: clients on PATH that give archives out of a folder, and say of others what real ones do."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gptwright.text.packages import clients

CLIENT = """#!/bin/sh
for wanted in "$@"; do :; done
[ -e "{folder}/broken" ] && {{ echo "E: could not connect" >&2; exit 1; }}
[ -e "{folder}/$wanted" ] || {{ echo "{absent}" >&2; exit 1; }}
echo "$wanted" >> "{folder}/asked"
cp "{folder}/$wanted"/* .
"""
ABSENT = {
    "npm": "npm error code ETARGET",
    "apt-get": "E: Version '1' for 'x' was not found",
    "pip": "ERROR: No matching distribution found for x==1",
}
Publish = Callable[[str, str, bytes], None]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Puts an archive into the registries: as what it is asked for, its file's name, its bytes."""
    registry, programs = tmp_path / "registry", tmp_path / "bin"
    registry.mkdir()
    programs.mkdir()
    for name, absent in ABSENT.items():
        program = programs / name
        program.write_text(CLIENT.format(folder=registry, absent=absent))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GPTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(clients, "PIP", (str(programs / "pip"),))

    def put(wanted: str, archive: str, data: bytes) -> None:
        (registry / wanted).mkdir(parents=True, exist_ok=True)
        (registry / wanted / archive).write_bytes(data)

    return put
