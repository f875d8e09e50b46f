"""What start refuses before it looks at the machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.recipes.read import Recipe, Step, write_recipe
from gptwright.stages import start
from gptwright.stages.start import Start, _offer_examples, _refuse_other_wish, _show
from gptwright.text.jsonl import read_objects

Refused = Callable[..., str]
PLAN: dict[str, Any] = {
    "minutes": 5.0,
    "data": ["bundled:plays"],
    "seed": 1,
    "seconds": {"prepare": 2.0, "pretrain": 3.0},
}
TRAIN = {"model": {"layers": 4, "width": 192, "vocab": 2048}, "steps": 7, "rows": 2, "length": 32}
RECIPE = Recipe("start", [Step("prepare", "prepare", {}), Step("pretrain", "pretrain", TRAIN)], PLAN)


def test_the_same_wish_goes_on() -> None:
    _refuse_other_wish(Start(minutes=5, data=("bundled:plays",), seed=1), RECIPE)


@pytest.mark.parametrize(
    ("wish", "says"),
    [({"minutes": 6.0}, "minutes = 5.0"), ({"data": ("mine",)}, "data = "), ({"seed": 2}, "seed = 1")],
)
def test_another_wish_is_refused_and_the_difference_named(wish: dict[str, Any], says: str) -> None:
    settings: dict[str, Any] = {"minutes": 5.0, "data": ("bundled:plays",), "seed": 1}
    with pytest.raises(ConfigError, match=says):
        _refuse_other_wish(Start(**settings | wish), RECIPE)


def test_a_run_of_another_recipe_is_refused(refused: Refused, tmp_path: Path) -> None:
    write_recipe(Recipe("mine", RECIPE.steps), tmp_path / "recipe.toml")
    before = (tmp_path / "recipe.toml").read_bytes()
    assert "minutes = None" in refused("start", "--out", tmp_path)
    assert (tmp_path / "recipe.toml").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_plan_whose_first_stage_was_refused_binds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe(RECIPE, tmp_path / "recipe.toml")
    other = Recipe("start", RECIPE.steps, PLAN | {"data": ["mine"]})
    monkeypatch.setattr(start, "_planned", lambda config: other)
    assert start._recipe(Start(data=("mine",), out=tmp_path)) is other
    assert not (tmp_path / "recipe.toml").exists()
    (tmp_path / "01-prepare").mkdir()
    (tmp_path / "01-prepare/stage.json").write_text("{}")
    write_recipe(RECIPE, tmp_path / "recipe.toml")
    with pytest.raises(ConfigError, match="data = "):
        start._recipe(Start(data=("mine",), out=tmp_path))


@pytest.mark.parametrize("minutes", ["0", "-1", "0.5", "241", "nan", "inf"])
def test_minutes_out_of_range(refused: Refused, tmp_path: Path, minutes: str) -> None:
    message = refused("start", f"--minutes={minutes}", "--out", tmp_path / "out")
    assert "minutes " in message
    assert not (tmp_path / "out").exists()


def test_text_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert "none.txt" in refused("start", "--data", tmp_path / "none.txt", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_plan_is_shown_with_seconds_that_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    _show(RECIPE)
    out, err = capsys.readouterr()
    assert out == ""
    assert "7 steps × 2 × 32 tokens" in err
    assert [line.split()[:2] for line in err.splitlines() if line.startswith("  ")] == [
        ["prepare", "2"], ["pretrain", "3"], ["together", "5"],
    ]  # fmt: skip


def test_examples_for_the_chat_page(tmp_path: Path) -> None:
    _offer_examples(tmp_path)
    offered = [line["prompt"] for line in read_objects(tmp_path / "examples.jsonl")]
    assert len(offered) == 6 == len(set(offered))
    assert all(offered)
