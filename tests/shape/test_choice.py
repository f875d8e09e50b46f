"""Which tests run, asked of pytest itself with a test of every kind."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Said = Callable[..., tuple[int, str]]
TESTS = """
import pytest
def test_usual(): pass
@pytest.mark.real
def test_real(): pass
@pytest.mark.llama_cpp
def test_llama(): pass
@pytest.mark.browser
def test_page(chromium): pass
@pytest.mark.sandbox
def test_generated(): pass
"""
MARKS = "[pytest]\nmarkers =\n  real: x\n  llama_cpp: x\n  browser: x\n  sandbox: x\n"
LINE = "1 tests of the pages SKIPPED: no Chromium is here (Debian, Ubuntu: apt-get install chromium)"


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """Exit code and summary of pytest with some words, where there is a Chromium or none."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(MARKS)
    (tmp_path / "bin").mkdir()
    source = str(Path(__file__).parents[1])

    def run(*words: str, chromium: bool = True) -> tuple[int, str]:
        if chromium:
            (tmp_path / "bin/chromium").write_text("")
            (tmp_path / "bin/chromium").chmod(0o755)
        environment = os.environ | {"PYTHONPATH": source, "PATH": str(tmp_path / "bin")}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "choice",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
        ]
        done = subprocess.run([*command, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ((), "2 passed, 1 skipped, 2 deselected"),
        (("-m", "not browser"), "1 passed, 1 skipped, 3 deselected"),
        (("-m", "real"), "1 passed, 4 deselected"),
        (("-m", "real or llama_cpp"), "2 passed, 3 deselected"),
    ],
)
def test_what_few_machines_have_is_needed_only_when_it_is_named(
    said: Said, words: tuple[str, ...], counts: str
) -> None:
    code, out = said(*words)
    assert code == 0 and counts in out


def test_without_chromium_the_pages_are_skipped_and_that_is_said(said: Said) -> None:
    code, out = said(chromium=False)
    assert code == 0 and LINE in out.splitlines() and "1 passed, 2 skipped, 2 deselected" in out


def test_without_chromium_ci_fails(said: Said) -> None:
    code, out = said("--need-programs", chromium=False)
    assert code == 1 and "2 passed, 2 deselected, 1 error" in out and "apt-get install chromium" in out
