"""How a stage's folder is made, gone on with, left alone, refused or forgotten."""

import json
import random
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.configs.validation import within_context
from gptwright.configs.verbs import STAGES
from gptwright.foundations.errors import ArtifactError, ConfigError, GptwrightError, InputError, ResourceError
from gptwright.foundations.runs import finished_stage, open_stage
from gptwright.recipes import stage as stages_module
from gptwright.recipes.stage import execute_stage, stage
from gptwright.stages.pretrain import Pretrain
from gptwright.stages.tokenize import Tokenize

Refused = Callable[..., str]


def hashes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", STAGES)
def test_every_stage_is_a_module_with_its_class_and_run(verb: str) -> None:
    found = stage(verb)
    assert found.config is STAGES[verb].config_type
    assert callable(found.run) and callable(found.inputs)


def test_an_unknown_stage_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'pretrain'"):
        stage("pretrian")


def test_a_complete_stage_is_left_alone(prepared: Path, tokenized: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in tokenized.rglob("*")}
    execute_stage("tokenize", Tokenize(text=prepared, vocab=300), tokenized)
    assert {path: path.stat().st_mtime_ns for path in tokenized.rglob("*")} == before
    assert "is complete" in capsys.readouterr().err


def test_other_work_is_refused_and_the_difference_named(refused: Refused, prepared: Path, tokenized: Path) -> None:
    before = hashes(tokenized)
    message = refused("tokenize", "--text", prepared, "--vocab", 299, "--out", tokenized)
    assert "vocab = 300" in message and "vocab = 299" in message
    assert "one of 'tokenize'" in refused("prepare", "--data", "bundled:plays", "--out", tokenized)
    assert hashes(tokenized) == before


def test_a_folder_with_something_else_is_refused(refused: Refused, prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert "something else there" in refused("tokenize", "--text", prepared, "--out", tmp_path)
    assert hashes(tmp_path) == {"letter.txt": b"dear"}


def test_a_place_below_a_file_is_refused(refused: Refused, prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "--out" in refused("tokenize", "--text", prepared, "--vocab", 300, "--out", tmp_path / "file" / "out")


def test_a_missing_input_is_named(refused: Refused, tmp_path: Path) -> None:
    assert str(tmp_path / "none") in refused("tokenize", "--text", tmp_path / "none", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unfinished_stage_is_no_input(refused: Refused, tmp_path: Path) -> None:
    open_stage(tmp_path / "tokens", "tokenize", Tokenize(text=tmp_path), {})
    message = refused("pretrain", "--tokens", tmp_path / "tokens", "--out", tmp_path / "out")
    assert "one that was stopped" in message and str(tmp_path / "tokens") in message
    assert not (tmp_path / "out").exists()


def test_a_stage_of_another_verb_is_no_input(refused: Refused, prepared: Path, tmp_path: Path) -> None:
    message = refused("pretrain", "--tokens", prepared, "--out", tmp_path / "out")
    assert "made by 'tokenize'" in message and "made by 'prepare'" in message


def test_what_was_refused_before_it_began_leaves_no_folder(refused: Refused, prepared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused("tokenize", "--text", prepared, "--vocab", 9999, "--out", out)
    assert not out.exists()
    execute_stage("tokenize", Tokenize(text=prepared, vocab=300), out)


def test_what_had_begun_stays(monkeypatch: pytest.MonkeyPatch, prepared: Path, tmp_path: Path) -> None:
    def run(config: Tokenize, folder: Path) -> None:
        (folder / "half").write_text("a line")
        raise InputError("more", "less", "Give it.")

    monkeypatch.setattr(
        stages_module, "stage", lambda verb: stages_module.Stage(verb, Tokenize, run, lambda config: {})
    )
    with pytest.raises(InputError):
        execute_stage("tokenize", Tokenize(text=prepared), tmp_path / "out")
    assert json.loads((tmp_path / "out/stage.json").read_text())["state"] == "unfinished"
    assert (tmp_path / "out/half").read_text() == "a line"


def test_the_systems_refusals_are_explained(monkeypatch: pytest.MonkeyPatch, prepared: Path, tmp_path: Path) -> None:
    def run(config: Tokenize, folder: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(
        stages_module, "stage", lambda verb: stages_module.Stage(verb, Tokenize, run, lambda config: {})
    )
    with pytest.raises(ResourceError, match="can be written"):
        execute_stage("tokenize", Tokenize(text=prepared), tmp_path / "out")


def test_a_damaged_input_is_named(refused: Refused, tokenized: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "tokens"
    shutil.copytree(tokenized, copy)
    data = bytearray((copy / "train.bin").read_bytes())
    data[100] ^= 1
    (copy / "train.bin").write_bytes(data)
    before = hashes(copy)
    assert "train.bin" in refused("pretrain", "--tokens", copy, "--out", tmp_path / "out")
    assert hashes(copy) == before


def test_windows_fit_into_the_context() -> None:
    within_context(256, 256)
    with pytest.raises(ConfigError, match="sequence_length = 257"):
        within_context(257, 256)


def test_a_tracker_gets_the_figures_and_is_no_part_of_the_run(
    prepared: Path, tokenized: Path, pretrain_config: Pretrain, pretrained: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told: list[int] = []

    class Tracker:
        def log(self, step: int, values: dict[str, float]) -> None:
            told.append(step)
            (tmp_path / "out" / "tracking").mkdir(exist_ok=True)
            (tmp_path / "out" / "tracking" / "events").write_text(str(told))

        def close(self) -> None:
            told.append(-1)

    monkeypatch.setattr(stages_module, "open_trackers", lambda names, folder, config: [Tracker()] if names else [])
    config = replace(pretrain_config, steps=2)
    execute_stage("pretrain", config, tmp_path / "out", ("tensorboard",))
    execute_stage("pretrain", config, tmp_path / "out")
    assert told == [1, 2, -1]
    assert not [name for name in finished_stage(tmp_path / "out")["outputs"] if "tracking" in name]


@pytest.mark.parametrize("verb", ["pretrain", "finetune", "sft", "reward", "ppo"])
def test_every_stage_that_trains_may_be_tracked(verb: str, gptwright: Callable[..., Any]) -> None:
    assert "--track" in gptwright(verb, "--help").out


TRAINED = {
    "next token": ("pretrain", "pretrain_config"),
    "masked words": ("pretrain", "encoder_config"),
    "translation": ("pretrain", "translate_config"),
    "codex": ("codex", "codex_config"),
    "clip": ("clip", "clip_config"),
    "vision": ("vision", "vision_config"),
    "finetune": ("finetune", "finetune_config"),
    "sft": ("sft", "sft_config"),
    "reward": ("reward", "reward_config"),
    "ppo": ("ppo", "ppo_config"),
}
INSIDE_A_SAVE = r"checkpoints/.*unfinished.*(state\.json|manifest\.json)|rename .*step-"
Trained = tuple[str, Any, Path, Any]


@pytest.fixture(scope="session", params=TRAINED.values(), ids=list(TRAINED))
def trained(
    request: pytest.FixtureRequest, in_a_process: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    """A stage that trains, and what it leaves when nothing disturbs it."""
    verb, name = request.param
    config = request.getfixturevalue(name)
    if hasattr(config, "dtype"):
        config = replace(config, dtype="bfloat16")
    out = tmp_path_factory.mktemp("whole") / "out"
    ended = in_a_process(verb, config, out)
    assert ended.code == 0, ended.said
    return verb, config, out, ended


def lasting(folder: Path) -> dict[str, Any]:
    """What a stage leaves, but for the time it took."""
    files = hashes(folder)
    record = json.loads(files.pop("stage.json"))
    lines = [json.loads(line) for line in files.pop("metrics.jsonl").splitlines()]
    files = {name: data for name, data in files.items() if not name.startswith("checkpoints")}
    return {
        "metrics": record["metrics"],
        "history": [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in lines],
        **files,
    }


def test_killed_at_any_moment_and_gone_on_with_it_is_bit_equal(
    trained: Trained, in_a_process: Callable[..., Any], tmp_path: Path
) -> None:
    verb, config, whole, ended = trained
    dice = random.Random(verb)
    saves = [at for at, change in enumerate(ended.changes, 1) if re.search(INSIDE_A_SAVE, change)]
    assert len(saves) >= 6
    for number, first in enumerate((4, *dice.sample(saves, 2), dice.randint(1, len(ended.changes)))):
        out = tmp_path / str(number)
        moments = [first, *(dice.randint(1, len(ended.changes) // 2) for _ in range(3))]
        codes = [in_a_process(verb, config, out, at).code for at in moments]
        assert codes[0] == 137 and set(codes) <= {0, 137}
        last = in_a_process(verb, config, out)
        assert last.code == 0, last.said
        assert lasting(out) == lasting(whole), moments


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_the_step_and_says_so_with_its_exit_code(
    trained: Trained, in_a_process: Callable[..., Any], tmp_path: Path, number: int
) -> None:
    verb, config, whole, ended = trained
    steps = [at for at, change in enumerate(ended.changes, 1) if "metrics.jsonl" in change]
    stopped = in_a_process(verb, config, tmp_path / "out", steps[0], number)
    assert stopped.code == 128 + number, stopped.said
    assert re.search(rf"gptwright: stopped; {verb} saved at step 1 of \d+\. The same command goes on", stopped.said)
    assert in_a_process(verb, config, tmp_path / "out").code == 0
    assert lasting(tmp_path / "out") == lasting(whole)


def test_errors_are_the_houses_own() -> None:
    assert issubclass(ArtifactError, GptwrightError) and issubclass(ResourceError, GptwrightError)


def test_others_wait_while_the_first_does_what_one_can_do(
    tmp_path: Path, tokenized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a recipe that several processes carry out."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(stages_module, "SECONDS_BETWEEN_LOOKS", 0.01)
    looks: list[float] = []

    def first_ends_its_work(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            (tmp_path / "out").symlink_to(tokenized)

    monkeypatch.setattr(stages_module.time, "sleep", first_ends_its_work)
    folder = execute_stage("tokenize", Tokenize(text=tmp_path), tmp_path / "out")
    assert folder.state == "complete" and len(looks) == 3
