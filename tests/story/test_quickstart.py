"""docs/quickstart.ipynb: its cells from the first to the last, in a folder where `tiny` is the smaller recipe of these
tests and is carried out already. `make release` executes it as it stands, in Jupyter and from the wheel."""

import ast
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from .test_story import STAGES, done, recipe

__all__ = ["done", "recipe"]
NOTEBOOK = Path(__file__).parents[2] / "docs/quickstart.ipynb"


def shown(source: str, names: dict[str, Any]) -> Any:
    """What a notebook shows of a cell: the value of the expression that ends it."""
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), str(NOTEBOOK), "exec"), names)
    assert isinstance(last, ast.Expr), source
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_the_notebook_runs_from_its_first_cell_to_its_last(
    recipe: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(recipe, tmp_path / "tiny")
    shutil.copytree(done, tmp_path / "runs/tiny")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, Any] = {}
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    values = [shown("".join(cell["source"]), names) for cell in cells if cell["cell_type"] == "code"]
    stages, (name, parameters), ids, text, answer, (shape, likeliest), losses, reported = values
    assert stages == STAGES and name == STAGES[-1] and parameters.endswith(" parameters")
    assert ids and isinstance(text, str) and isinstance(answer, str)
    assert shape[0] == 1 and len(likeliest) == 5
    assert len(losses) == 60 and all(loss > 0 for loss in losses)
    assert reported is True
