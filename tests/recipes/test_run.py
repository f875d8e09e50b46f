"""Carrying out: once, then nothing; never another recipe's work; nothing at all when a table is wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.recipes.read import Recipe, Step, read_recipe
from gptwright.recipes.run import run_recipe
from gptwright.recipes.stage import execute_stage

WORDS = "the old miller walked to a river and saw grey cat near boat while rain fell on roof"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    words = WORDS.split()
    pages = [" ".join(words[(i * k) % len(words)] for k in range(1, 200)) + f" {i}." for i in range(1, 40)]
    for number, page in enumerate(pages):
        (tmp_path / f"{number:02d}.txt").write_text(page)
    prepare = Step("prepare", "prepare", {"data": [str(tmp_path / "*.txt")], "heldout_fraction": 0.2})
    return Recipe("x", [prepare, Step("words", "tokenize", {"text": "prepare", "vocab": 280})])


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def done(recipe: Recipe, tmp_path: Path) -> Path:
    run_recipe(recipe, tmp_path / "out")
    return tmp_path / "out"


def test_every_stage_into_its_folder_and_the_recipe_beside_them(recipe: Recipe, done: Path) -> None:
    assert sorted(path.name for path in done.iterdir()) == ["01-prepare", "02-words", "recipe.toml"]
    assert read_recipe(done / "recipe.toml") == recipe


def test_a_second_run_does_nothing(recipe: Recipe, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = times(done)
    capsys.readouterr()
    run_recipe(recipe, done)
    assert times(done) == before
    assert capsys.readouterr().err.count("is complete") == 2


def test_its_own_recipe_does_the_same_elsewhere(done: Path, tmp_path: Path) -> None:
    run_recipe(read_recipe(done / "recipe.toml"), tmp_path / "again")
    for name in ("01-prepare/train.jsonl", "02-words/train.bin", "02-words/tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (done / name).read_bytes()


def test_another_recipe_is_refused_and_nothing_touched(recipe: Recipe, done: Path) -> None:
    prepare, words = recipe.steps
    others = {
        r"another \[words\]": [prepare, replace(words, table=words.table | {"vocab": 281})],
        r"another \[letters\]": [prepare, replace(words, name="letters")],
        r"one without \[words\]": [prepare],
        r"another \[more\]": [prepare, words, replace(words, name="more")],
    }
    before = times(done)
    for says, steps in others.items():
        with pytest.raises(ConfigError, match=says):
            run_recipe(replace(recipe, steps=steps), done)
    assert times(done) == before


@pytest.mark.parametrize(
    "table",
    [
        {"tokens": "words", "steps": 0},
        {"tokens": "wrods"},
        {"tokens": "words", "stps": 4},
        {"tokens": "words", "model": "gpt9"},
        {},
    ],
)
def test_a_wrong_last_table_makes_nothing(recipe: Recipe, tmp_path: Path, table: dict[str, object]) -> None:
    wrong = replace(recipe, steps=[*recipe.steps, Step("pretrain", "pretrain", table)])
    with pytest.raises(ConfigError):
        run_recipe(wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_stage_that_fails_leaves_the_earlier_ones_and_goes_on_later(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(verb: str, config: object, out: Path, track: object) -> object:
        if verb == "tokenize":
            raise InputError("more", "less", "Give it.")
        return execute_stage(verb, config, out)

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(InputError):
        patch.setattr("gptwright.recipes.run.execute_stage", refuse)
        run_recipe(recipe, out)
    before = times(out / "01-prepare")
    assert before and not (out / "02-words").exists()
    run_recipe(recipe, out)
    assert times(out / "01-prepare") == before
    assert (out / "02-words/train.bin").is_file()


def test_sizes_may_change_until_a_stage_begins_and_are_written_down(recipe: Recipe, tmp_path: Path) -> None:
    out, asked = tmp_path / "out", list[str]()

    def resized(recipe: Recipe, name: str) -> Recipe:
        asked.append(name)
        if name == "prepare":
            return recipe
        assert not (out / "02-words").exists()
        return replace(
            recipe, steps=[recipe.steps[0], replace(recipe.steps[1], table={"text": "prepare", "vocab": 281})]
        )

    run_recipe(recipe, out, resized=resized)
    assert asked == ["prepare", "words"]
    written = read_recipe(out / "recipe.toml")
    assert written.steps[1].table["vocab"] == 281
    assert '"vocab": 281' in (out / "02-words/stage.json").read_text()
    run_recipe(written, out, resized=resized)
    assert asked == ["prepare", "words"]  # what has begun is no more changed
