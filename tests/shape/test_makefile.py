"""What make runs, with a Python that only notes what it was asked: nothing is installed."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Stands for python3: `-m venv` makes bin/ with a pip and a gptwright that note their words. pip waits when told to.
PYTHON = """#!/bin/sh
[ "$1" = -m ] || exit 0
mkdir -p "$3/bin"
for name in pip gptwright python; do
  printf '#!/bin/sh\\necho "%s $*" >> noted\\n' $name > "$3/bin/$name"
  [ $name = pip ] && echo '[ ! -e slow ] || sleep 20' >> "$3/bin/$name"
  chmod +x "$3/bin/$name"
done
echo venv >> noted
"""
# As if typed: a make above this one hands down its own words and variables.
HANDED_DOWN = {"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "MINUTES", "DATA", "OUT", "TESTS", "PYTHON"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in HANDED_DOWN}
MADE = ["venv", "pip install torch", "pip install core", "gptwright start --minutes 5"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "stub").write_text(PYTHON)
    (tmp_path / "stub").chmod(0o755)
    return tmp_path


def command(*words: str) -> list[str]:
    return ["make", "PYTHON=./stub", *words]


def make(folder: Path, *words: str) -> list[str]:
    """What was done, in short."""
    (folder / "noted").unlink(missing_ok=True)
    subprocess.run(command(*words), cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, timeout=60)
    return noted(folder)


def noted(folder: Path) -> list[str]:
    lines = (folder / "noted").read_text().splitlines() if (folder / "noted").exists() else []
    what = {"torch>=": "pip install torch", ".[test": "pip install test", "--editable .": "pip install core"}
    return [
        next((short for part, short in what.items() if part in line), line)
        for line in lines
        if line != "python -c pass"
    ]


def test_the_first_time_all_is_installed_and_then_nothing(folder: Path) -> None:
    assert make(folder, "start") == MADE
    assert make(folder, "start") == MADE[-1:]
    assert make(folder, "test") == ["pip install test", "python -m pytest -n 2"]


@pytest.mark.parametrize(
    ("words", "ran"),
    [
        (["start", "MINUTES=1"], "gptwright start --minutes 1"),
        (["start", "DATA=a.txt b/", "OUT=runs/mine"], "gptwright start --minutes 5 --data a.txt b/ --out runs/mine"),
        (["chat"], "gptwright chat"),
        (["chat", "OUT=runs/mine"], "gptwright chat runs/mine"),
        (["test", "TESTS=--need-programs -k page"], "python -m pytest -n 2 --need-programs -k page"),
    ],
)
def test_what_is_asked_for_is_passed_on(folder: Path, words: list[str], ran: str) -> None:
    assert make(folder, *words)[-1].split() == ran.split()


def test_an_installation_that_was_interrupted_begins_anew(folder: Path) -> None:
    (folder / "slow").touch()
    # a shell that starts the tests in the background has them ignore Ctrl-C, and all that they start
    with subprocess.Popen(command("start"), cwd=folder, process_group=0, stderr=subprocess.DEVNULL,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:  # fmt: skip
        while "pip install torch" not in noted(folder):
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
    assert process.returncode != 0
    (folder / "slow").unlink()
    assert make(folder, "start") == MADE


def test_a_python_that_is_gone_is_replaced_and_a_failed_installation_is_no_reason_to(folder: Path) -> None:
    make(folder, "start")
    (folder / ".venv/bin/python").unlink()
    assert make(folder, "start") == MADE
    os.utime(folder / "pyproject.toml", (2e9, 2e9))
    pip = folder / ".venv/bin/pip"
    works = pip.read_text()
    pip.write_text("#!/bin/sh\nexit 1\n")
    assert subprocess.run(command("start"), cwd=folder, env=ENVIRONMENT, capture_output=True).returncode != 0
    pip.write_text(works)
    assert make(folder, "start") == MADE[-2:]


def test_help_names_what_there_is(folder: Path) -> None:
    said = subprocess.run(
        ["make", "help"], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout
    targets = {line.split()[1] for line in said.splitlines() if line.startswith("make ")}
    assert {"start", "chat", "test", "test-real", "test-llama", "check", "docs", "bench", "clean"} <= targets
    assert not (folder / ".venv").exists()
