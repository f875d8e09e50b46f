"""What start refuses before it looks at the machine, where it works, and how it keeps to its minutes."""

import fcntl
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tyro

from gptwright.evaluation import answers
from gptwright.evaluation.answers import Question
from gptwright.foundations.config import encode
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.folder_lock import LOCK
from gptwright.models.gpt2 import GPT2Config
from gptwright.pipelines import load
from gptwright.recipes import measure
from gptwright.recipes.measure import USUAL, Shape, usual
from gptwright.recipes.plan import SIZES, Wish, plan, sizes_of
from gptwright.recipes.read import Recipe, Step, read_recipe, write_recipe
from gptwright.stages import start
from gptwright.stages.start import Start, _look, _offer_examples, _place, _refuse_other_wish, _show, _warn_of_misfit
from gptwright.text.jsonl import read_objects, write_objects

Refused = Callable[..., str]
PLAN: dict[str, Any] = {
    "minutes": 5.0,
    "data": ["bundled:plays"],
    "seed": 1,
    "model": "",
    "seconds": {"prepare": 2.0, "pretrain": 3.0},
}
TRAIN = {
    "model": {"family": "gpt2", "layers": 4, "width": 192, "vocab": 2048},
    "steps": 7,
    "batch_size": 2,
    "sequence_length": 32,
}
TINY = GPT2Config(vocab=300, width=16, heads=2, layers=1, context=64)
RECIPE = Recipe("start", [Step("prepare", "prepare", {}), Step("pretrain", "pretrain", TRAIN)], PLAN)


SAME: dict[str, Any] = {"minutes": 5.0, "data": ("bundled:plays",), "seed": 1}


def begun(folder: Path, recipe: Recipe = RECIPE) -> Path:
    """A run folder whose first stage has begun."""
    (folder / "01-prepare").mkdir(parents=True)
    (folder / "01-prepare/stage.json").write_text('{"seconds": 4.0}')
    write_recipe(recipe, folder / "recipe.toml")
    return folder


def test_the_same_wish_goes_on(tmp_path: Path) -> None:
    _refuse_other_wish(Start(**SAME), tmp_path, RECIPE)


@pytest.mark.parametrize("wish", [{"minutes": 6.0}, {"data": ("mine",)}, {"seed": 2}])
def test_another_wish_is_refused_with_the_command_that_goes_on(wish: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        _refuse_other_wish(Start(**SAME | wish), tmp_path, RECIPE)
    again = f"gptwright start --minutes 5 --seed 1 --data bundled:plays --out {tmp_path}"
    assert again in refused.value.remedy
    words = shlex.split(again)
    assert tyro.cli(Start, args=words[2:]) == Start(**SAME, out=tmp_path)


def test_a_second_start_is_told_at_once_and_touches_nothing(refused: Refused, tmp_path: Path) -> None:
    write_recipe(RECIPE, tmp_path / "recipe.toml")  # a plan whose first stage is about to begin
    before = (tmp_path / "recipe.toml").read_bytes()
    with (tmp_path / LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "for this command alone" in refused("start", "--out", tmp_path)
    assert (tmp_path / "recipe.toml").read_bytes() == before


def test_a_run_of_another_recipe_is_refused(refused: Refused, tmp_path: Path) -> None:
    write_recipe(Recipe("mine", RECIPE.steps), tmp_path / "recipe.toml")
    before = (tmp_path / "recipe.toml").read_bytes()
    said = refused("start", "--out", tmp_path)
    assert f"gptwright run {tmp_path}/recipe.toml --out {tmp_path}" in said
    assert (tmp_path / "recipe.toml").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_without_a_folder_every_wish_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _place(Start(**SAME)) == Path("runs/start")
    begun(Path("runs/start"))
    assert _place(Start(**SAME)) == Path("runs/start")
    assert _place(Start(**SAME | {"minutes": 1.0})) == Path("runs/start-2")
    begun(Path("runs/start-2"), replace(RECIPE, plan=PLAN | {"minutes": 1.0}))
    assert _place(Start(**SAME | {"minutes": 1.0})) == Path("runs/start-2")
    assert _place(Start(**SAME | {"seed": 3})) == Path("runs/start-3")
    write_recipe(Recipe("mine", RECIPE.steps), Path("runs/start-3/recipe.toml"))
    assert _place(Start(**SAME | {"seed": 3})) == Path("runs/start-4")


def test_a_plan_whose_first_stage_was_refused_binds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe(RECIPE, tmp_path / "recipe.toml")
    other = Recipe("start", RECIPE.steps, PLAN | {"data": ["mine"]})
    monkeypatch.setattr(start, "_planned", lambda config, began: other)
    assert start._recipe(Start(data=("mine",)), tmp_path, 0.0) is other
    assert not (tmp_path / "recipe.toml").exists()
    begun(tmp_path)
    with pytest.raises(ConfigError, match="--data bundled:plays"):
        start._recipe(Start(data=("mine",)), tmp_path, 0.0)


@pytest.mark.parametrize("minutes", ["0", "-1", "0.5", "241", "nan", "inf"])
def test_minutes_out_of_range(refused: Refused, tmp_path: Path, minutes: str) -> None:
    message = refused("start", f"--minutes={minutes}", "--out", tmp_path / "out")
    assert "minutes from 1 to 240" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "said"),
    [("llama-nan", "llama-nano"), ("bert-nano", "a decoder as model"), ("transformer-nano", "a decoder as model")],
)
def test_a_model_that_cannot_tell_the_story(refused: Refused, tmp_path: Path, model: str, said: str) -> None:
    assert said in refused("start", "--model", model, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["gpt1-nano", "gpt3-nano", "llama-nano", "modern-nano", "gpt2-124m"])
def test_any_decoders_named_size_has_its_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(measure, "pretrain_seconds", lambda *_: 0.05)
    monkeypatch.setattr(measure, "measure", lambda *_: usual(0.05))
    recipe = start._planned(Start(model=name), time.monotonic())
    found = {step.name: config for step, config in recipe.configs(tmp_path)}
    assert found["pretrain"].model.family == name.split("-")[0]
    assert found["pretrain"].model.vocab == found["tokenize"].vocab <= start.MOST_VOCAB
    assert recipe.plan["model"] == name


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


def test_every_stage_of_a_plan_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    wish = Wish(minutes=5, data=("x",), seed=1, model="", examples=start._examples(5.0), spent=8.0,
                max_characters=10**6, threads=1, dtype="float32")  # fmt: skip
    recipe = plan(wish, SIZES["nano"], USUAL, Shape())
    _show(recipe)
    err = capsys.readouterr().err
    assert all(f"\n  {step.name} " in err for step in recipe.steps)
    assert "64 + 16 prompts × 4 answers" in err and "4 updates × 128 answers" in err


@pytest.mark.parametrize(("seconds", "said"), [(300.0, ""), (431.2, "the least of everything takes 431 s")])
def test_too_few_minutes_are_said_before_it_starts(
    capsys: pytest.CaptureFixture[str], seconds: float, said: str
) -> None:
    _warn_of_misfit(replace(RECIPE, plan=PLAN | {"seconds": {"prepare": seconds}}))
    err = capsys.readouterr().err
    assert (said in err and "--minutes 8 would do" in err) if said else not err


@pytest.fixture
def story(material: Path) -> Recipe:
    """A plan of three stages whose last has ten times more steps than fit into its minute."""
    tables: dict[str, dict[str, Any]] = {
        "prepare": {"data": [str(material / "text.jsonl")]},
        "tokenize": {"text": "prepare", "vocab": 300},
        "pretrain": {"tokens": "tokenize", "model": encode(TINY), "batch_size": 2, "sequence_length": 32,
                     "threads": 1, **sizes_of("pretrain", 40, 1.0)},
    }  # fmt: skip
    fixed = {"start": 1.0, "prepare": 1.0, "tokenize": 1.0, "pretrain": 1.0, "report": 1.0}
    plan = {"minutes": 1.0, "data": ["x"], "seed": 1, "model": "", "fixed": fixed, "each": {"pretrain": 11.9},
            "most": {"pretrain": 40},
            "seconds": fixed | {"pretrain": 477.0}}  # fmt: skip
    return Recipe("start", [Step(name, name, table) for name, table in tables.items()], plan)


def test_what_is_done_instead_stands_in_the_recipe_which_does_it_again(
    story: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gptwright: Callable[..., Any]
) -> None:
    monkeypatch.setattr(start, "_planned", lambda config, began: story)
    monkeypatch.setattr(start, "_offer_examples", lambda out, folder: None)
    monkeypatch.setattr(start, "_talk", lambda config, folder: None)
    monkeypatch.setattr(start, "_questions", lambda: ["The old"])
    out = tmp_path / "run"
    words = ["start", "--minutes", "1", "--data", "x", "--out", out]
    done = gptwright(*words)
    assert done.code == 0, done.err
    assert "of 60 s have gone: pretrain has 4 steps, not 40" in done.err
    assert "── 03-pretrain: train a language model from nothing" in done.err
    assert re.search(r"pretrain took \d+ s of \d+ planned", done.err)
    (said,) = read_objects(out / "asked.jsonl")
    assert said["stage"] == "pretrain" and f"pretrain is asked “The old” and says “{said['answer']}”" in done.err
    assert f"  talk to it                 gptwright chat {out / '03-pretrain'}" not in done.err  # it was not taught to
    assert "  make a better one          gptwright start --minutes 4" in done.err
    assert said["answer"] in (out / "report.html").read_text()
    written = read_recipe(out / "recipe.toml")
    assert written.steps[-1].table["steps"] == 4 and written.plan["minutes"] == 1.0
    assert gptwright("run", out / "recipe.toml", "--out", tmp_path / "again").code == 0
    model = "03-pretrain/model/model.safetensors"
    assert (tmp_path / "again" / model).read_bytes() == (out / model).read_bytes()
    before = (out / "recipe.toml").read_bytes()
    assert gptwright(*words).code == 0  # all is complete: nothing is sized anew
    assert (out / "recipe.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [("the old miller walked to a river and saw the cat", False), ("der alte Müller ging zum Fluss", True)],
)
def test_text_in_another_language_is_told_what_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: bool
) -> None:
    write_objects(tmp_path / "train.jsonl", [{"text": text}])
    _look("prepare", tmp_path)
    assert ("--data YOURS bundled" in capsys.readouterr().err) is said


def test_little_text_and_many_minutes_end_early_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("the old miller walked to a river " * 1500)  # 50 kB
    monkeypatch.setattr(measure, "pretrain_seconds", lambda *_: 0.05)
    monkeypatch.setattr(measure, "measure", lambda *_: usual(0.05))
    recipe = start._planned(Start(minutes=60, data=(str(tmp_path / "mine.txt"),)), time.monotonic())
    pretrain = next(step.table for step in recipe.steps if step.name == "pretrain")
    assert pretrain["steps"] == recipe.plan["most"]["pretrain"] < 100
    _warn_of_misfit(recipe)
    assert re.search(r"It ends after about \d+ minutes: .* More text, with --data", capsys.readouterr().err)


@pytest.mark.parametrize("every", [5, 1000])
def test_examples_for_the_chat_page_are_answered(every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where none is, there are four questions all the same."""
    right: list[str] = []

    def rightly_answered(model: object, questions: Sequence[Question]) -> list[bool]:
        found = [number % every == every - 1 for number in range(len(questions))]
        right.extend(q.messages[0]["content"] for q, hit in zip(questions, found, strict=True) if hit)
        return found

    monkeypatch.setattr(answers, "rightly_answered", rightly_answered)
    monkeypatch.setattr(load, "load_decoder", lambda folder: None)
    _offer_examples(tmp_path, tmp_path)
    offered = [line["prompt"] for line in read_objects(tmp_path / "examples.jsonl")]
    assert len(offered) == 4 == len(set(offered)) and all(offered)
    assert set(offered) <= set(right) or not right
