"""The page of what the pages promise has a row for each, and the tests that it names are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/page-tests.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n([^#]+)", PAGE, re.MULTILINE))


def named_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    ("section", "count"),
    [("Sixteen faults that a chat page can have", 16), ("Forty things a chat can do", 40),
     ("Twenty things of labelling", 20)],
)  # fmt: skip
def test_each_has_a_numbered_row(section: str, count: int) -> None:
    rows = re.findall(r"^\| (\d\d) ", SECTIONS[section], re.MULTILINE)
    assert rows == [f"{number:02}" for number in range(1, count + 1)]


def test_every_row_names_a_test_in_the_browser_that_is_there() -> None:
    rows = [
        row for row in re.findall(r"^\| .+ \|$", PAGE, re.MULTILINE) if not re.match(r"\| (fault|feature|what) \|", row)
    ]
    assert len(rows) == 16 + 40 + 2 + 20 + 10
    folder = ROOT / "tests/serving/pages"
    there = {file.name: named_in(file) for file in folder.glob("test_*.py")}
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, row
        assert [f"{file}::{test}" for file, test in named if test not in there.get(file, ())] == []


def test_the_files_that_it_names_drive_chromium() -> None:
    folder = ROOT / "tests/serving/pages"
    for file in set(re.findall(r"`(test_\w+\.py)::", PAGE)):
        assert "pytest.mark.browser" in (folder / file).read_text(encoding="utf-8"), file
