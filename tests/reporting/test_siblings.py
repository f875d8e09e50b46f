"""Two models of the same minutes and text side by side."""

import json
import shutil
from pathlib import Path

import pytest

from gptwright.reporting.collect import collect
from gptwright.reporting.siblings import at_equal_time, better
from gptwright.training.evaluation import Estimate


def give(run: Path, **model: object) -> Path:
    """Another model of that family and those sizes."""
    record = run / "03-pretrain/stage.json"
    content = json.loads(record.read_text())
    content["config"]["model"] = model
    record.write_text(json.dumps(content))
    return run


@pytest.fixture
def beside(whole_run: Path) -> Path:
    """A second run beside the first, of another family."""
    other = whole_run.parent / "other"
    shutil.copytree(whole_run, other)
    give(whole_run, family="gpt2", layers=4, width=192)
    return give(other, family="llama", layers=4, width=192)


def test_a_column_for_each_model(whole_run: Path, beside: Path) -> None:
    found = at_equal_time(collect(whole_run))
    assert found and found.columns == ["gpt2 4 × 192 (my run)", "llama 4 × 192 (other)"]
    assert [row.cells[0].text == row.cells[1].text for row in found.rows] == [True] * 3
    assert found.note == "2 minutes each; by their answers they cannot be told apart"


@pytest.mark.parametrize("change", ["alone", "the same model", "other minutes", "damaged", "unfinished"])
def test_others_are_not_compared(whole_run: Path, beside: Path, change: str) -> None:
    recipe = beside / "recipe.toml"
    if change == "alone":
        shutil.rmtree(beside)
    elif change == "the same model":
        give(beside, family="gpt2", layers=4, width=192)
    elif change == "other minutes":
        recipe.write_text(recipe.read_text().replace("minutes = 2", "minutes = 3"))
    elif change == "damaged":
        recipe.write_text("[[")
    else:
        shutil.rmtree(beside / "08-ppo")
    assert at_equal_time(collect(whole_run)) is None


def test_better_is_who_is_above_all_others() -> None:
    low, high, wide = Estimate(0.5, 0.45, 0.55, 100), Estimate(0.9, 0.85, 0.95, 100), Estimate(0.8, 0.5, 0.9, 10)
    assert better(["a", "b"], [low, high]) == "b answers better"
    assert "cannot be told apart" in better(["a", "b"], [wide, high])
    assert "cannot be told apart" in better(["a", "b"], [None, high])
