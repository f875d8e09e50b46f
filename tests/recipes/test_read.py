"""Tables to stages: order, names, paths, and every key that does not fit."""

from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.models.catalogue import preset
from gptwright.recipes.read import Recipe, Step, read_recipe, write_recipe
from gptwright.stages.pretrain import Pretrain
from gptwright.text.bundled import bundled_folder

FULL = """
name = "mine"
[prepare]
data = ["bundled:plays"]
[words]
verb = "tokenize"
text = "prepare"
[pretrain]
tokens = "words"
model = { preset = "gpt2-nano", width = 96 }
[plan]
minutes = 2.5
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "chain.toml"
    path.write_text(text, encoding="utf-8")
    return path


def configs(recipe: Recipe, out: Path) -> dict[str, Any]:
    return {step.name: config for step, config in recipe.configs(out)}


def test_order_names_verbs_and_plan(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, FULL))
    assert recipe.name == "mine"
    assert [(step.name, step.verb) for step in recipe.steps] == [
        ("prepare", "prepare"), ("words", "tokenize"), ("pretrain", "pretrain"),
    ]  # fmt: skip
    assert recipe.steps[1].table == {"text": "prepare"}
    assert recipe.plan == {"minutes": 2.5}


def test_without_a_name_it_has_the_files(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, "[prepare]\n"))
    assert recipe.name == "chain" and recipe.plan == {}


def test_written_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, FULL))
    write_recipe(recipe, tmp_path / "again.toml")
    assert read_recipe(tmp_path / "again.toml") == recipe


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("recipes/*.toml")), ids=lambda path: path.stem)
def test_the_recipes_that_come_along_fit(path: Path, tmp_path: Path) -> None:
    recipe = read_recipe(path)
    assert len(configs(recipe, tmp_path)) == len(recipe.steps) >= 2
    write_recipe(recipe, tmp_path / "again.toml")
    assert read_recipe(tmp_path / "again.toml") == recipe


def test_the_tasks_recipes_have_the_same_settings() -> None:
    folder = Path(__file__).parents[2] / "recipes"
    tasks = ("instructions", "length-target", "arithmetic", "sentiment")
    recipes = [read_recipe(folder / f"{task}.toml") for task in tasks]
    settings = [{f"{step.name}.{name}": value for step in recipe.steps for name, value in step.table.items()}
                for recipe in recipes]  # fmt: skip
    for name, value in settings[0].items():
        others = [found[name] for found in settings]
        own = name in ("sft.conversations", "rank.prompts", "rank.rule", "grpo.rule", "grpo.beta")
        assert own or others == [value] * 4, name


def test_folders_are_numbered_in_order(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, FULL))
    assert [recipe.folder(tmp_path, step.name).name for step in recipe.steps] == [
        "01-prepare",
        "02-words",
        "03-pretrain",
    ]


def test_a_stages_name_is_its_folder_and_presets_are_filled_in(tmp_path: Path) -> None:
    found = configs(read_recipe(written(tmp_path, FULL)), tmp_path / "out")
    assert found["words"].text == tmp_path / "out/01-prepare"
    assert found["pretrain"].tokens == tmp_path / "out/02-words"
    assert vars(found["pretrain"].model) == vars(preset("gpt2-nano")) | {"width": 96}


def resolved(value: Any, out: Path) -> Path:
    steps = [Step("prepare", "prepare", {}), Step("tokenize", "tokenize", {"text": value})]
    return configs(Recipe("x", steps), out)["tokenize"].text


def test_a_file_in_a_stage(tmp_path: Path) -> None:
    assert resolved("prepare/deep/file.jsonl", tmp_path) == tmp_path / "01-prepare/deep/file.jsonl"


def test_a_bundled_file(tmp_path: Path) -> None:
    name = "teaching/questions.jsonl"
    assert resolved(f"bundled:{name}", tmp_path) == bundled_folder() / name
    with pytest.raises(ConfigError, match=r"Did you mean 'bundled:teaching/questions.jsonl'\?"):
        resolved("bundled:teaching/question.jsonl", tmp_path)


def test_a_path_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    assert resolved(str(tmp_path / "mine"), tmp_path) == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    assert resolved("mine", tmp_path) == Path("mine")


def test_an_earlier_stage_goes_before_a_path_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prepare").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolved("prepare", tmp_path / "out") == tmp_path / "out/01-prepare"


@pytest.mark.parametrize("value", ["prepar", "tokenize", "later", "/none/such"])
def test_a_reference_to_nothing(value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="earlier table's name"):
        resolved(value, tmp_path)


@pytest.mark.parametrize("value", [3, True, ["prepare"], {"a": 1}])
def test_a_path_that_is_no_text(value: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a path in"):
        resolved(value, tmp_path)


def test_lists_of_paths_are_resolved_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").touch()
    paths = ["prepare/rankings.jsonl", "bundled:teaching/rankings.jsonl.xz", str(tmp_path / "more.jsonl")]
    steps = [Step("prepare", "prepare", {}), Step("reward", "reward", {"base": "prepare", "rankings": paths})]
    found = configs(Recipe("x", steps), tmp_path)["reward"]
    assert found.rankings == (
        tmp_path / "01-prepare/rankings.jsonl",
        bundled_folder() / "teaching/rankings.jsonl.xz",
        tmp_path / "more.jsonl",
    )


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("stps", 3, r"Did you mean 'steps'\?"),
        ("steps", 3.5, "int for"),
        ("steps", "3", "int for"),
        ("steps", True, "int for"),
        ("learning_rate", "fast", "a number for"),
        ("learning_rate", True, "a number for"),
        ("steps", 0, "steps from 1 to"),
        ("sequence_length", 10_000, "sequence_length = 10000"),
        ("model", {"preset": "gpt2-nano", "layers": "4"}, "int for model.layers"),
        ("model", {"layers": 4}, "a family"),
        ("model", {"family": "gpt9"}, "'gpt9'"),
        ("model", {"preset": "gpt2-nano", "heads": 0}, "heads from 1 to"),
    ],
)
def test_keys_that_do_not_fit(key: str, value: Any, says: str, tmp_path: Path) -> None:
    steps = [Step("prepare", "prepare", {}), Step("mine", "pretrain", {"tokens": "prepare", key: value})]
    with pytest.raises(ConfigError, match=says):
        configs(Recipe("x", steps), tmp_path)


def test_whole_numbers_are_numbers(tmp_path: Path) -> None:
    steps = [Step("prepare", "prepare", {}), Step("pretrain", "pretrain", {"tokens": "prepare", "learning_rate": 1})]
    found: Pretrain = configs(Recipe("x", steps), tmp_path)["pretrain"]
    assert found.learning_rate == 1.0 and isinstance(found.learning_rate, float)


@pytest.mark.parametrize("content", [b"[prepare", b"a = = 1", b"\xff\xfe", b"[a]\n[a]\n", b'x = "\xc3"'])
def test_what_is_not_toml(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.toml"):
        read_recipe(path)
