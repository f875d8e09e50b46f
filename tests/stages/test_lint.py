from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.configs.lint import Lint
from gptwright.stages.lint import lint_files, run


def test_findings_are_printed_up_to_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text("".join(f'{{"prompt": "{i}?", "chosen": ""}}\n' for i in range(5)))
    (tmp_path / "b.txt").write_text("Nothing is wrong with it.")
    with pytest.raises(SystemExit) as ended:
        run(Lint(files=(str(tmp_path),), examples=2))
    assert ended.value.code == 1
    assert capsys.readouterr().out == (
        f"{tmp_path}/a.jsonl:1: empty answer: chosen\n{tmp_path}/a.jsonl:2: empty answer: chosen\n"
        "lint: 6 texts and lines in 2 files: 5 empty answer\n"
    )


def test_the_bundled_examples_are_clean(gptwright: Callable[..., Any]) -> None:
    done = gptwright("lint", "bundled:verse")
    assert (done.code, done.out.count("\n")) == (0, 1) and done.out.endswith("in 1 file: nothing found\n")


def test_tables_are_looked_at_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nOne.\n")
    (tmp_path / "b.txt").write_text("Two.")
    assert lint_files([str(tmp_path / "a.csv"), str(tmp_path)]) == [tmp_path / "a.csv", tmp_path / "b.txt"]


def test_without_a_file_it_says_what_is_needed(gptwright: Callable[..., Any], tmp_path: Path) -> None:
    done = gptwright("lint")
    assert done.code == 1 and "needed files or folders to look through; got none" in done.err
    done = gptwright("lint", tmp_path / "gone.jsonl")
    assert done.code == 1 and "got nothing there" in done.err


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Two.")
    (tmp_path / "c.txt").symlink_to(tmp_path / "b.txt")
    assert lint_files([str(tmp_path / "b.txt"), str(tmp_path)]) == [tmp_path / "b.txt"]
