"""Which model is meant by a folder, a run, or nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.pipelines.resolve import resolve_model, warn_of_base

Refused = Callable[..., str]


def stage(path: Path, verb: str, ended: str = "2026-01-01T00:00:00+00:00", **more: Any) -> Path:
    path.mkdir(parents=True)
    record = {"verb": verb, "state": "complete", "ended": ended, "config": {}} | more
    (path / "stage.json").write_text(json.dumps(record))
    return path


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs and a stage by itself; the older run was copied later."""
    monkeypatch.chdir(tmp_path)
    old, new = tmp_path / "runs/old", tmp_path / "runs/new"
    for i, verb in enumerate(("prepare", "tokenize", "pretrain", "sft", "rank", "reward", "ppo"), 1):
        stage(new / f"{i:02}-{verb}", verb, f"2026-03-01T00:0{i}:00+00:00")
    for i, verb in enumerate(("pretrain", "sft", "reward"), 1):
        stage(old / f"{i:02}-{verb}", verb, f"2026-02-01T00:0{i}:00+00:00")
    stage(tmp_path / "runs/single", "pretrain", "2026-01-01T00:00:00+00:00")
    return tmp_path / "runs"


def test_a_run_means_its_last_model_and_nothing_the_newest(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resolve_model(runs / "new") == runs / "new/07-ppo"
    assert "the last model of this run is" in capsys.readouterr().err
    assert resolve_model(runs / "old") == runs / "old/02-sft", "a reward model writes nothing"
    capsys.readouterr()
    assert resolve_model(None) == Path("runs/new/07-ppo")
    assert "the newest model is runs/new/07-ppo" in capsys.readouterr().err
    assert resolve_model(runs) == runs / "new/07-ppo"


def test_what_is_no_run_is_taken_as_it_is(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model"
    stage(model / "inner", "sft")
    (model / "config.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for given in (runs / "new/03-pretrain", runs / "new/01-prepare", model, tmp_path / "empty", tmp_path / "file",
                  tmp_path / "nowhere", Path("smollm2")):  # fmt: skip
        assert resolve_model(given) == given
    assert capsys.readouterr().err == ""


def test_only_finished_decoders_count(runs: Path) -> None:
    stage(runs / "new/08-ppo", "ppo", "2026-03-02T00:00:00+00:00", state="unfinished")
    stage(runs / "new/09-pretrain", "pretrain", "2026-03-02T00:00:00+00:00", config={"model": {"family": "bert"}})
    stage(
        runs / "new/10-pretrain", "pretrain", "2026-03-02T00:00:00+00:00", config={"model": {"family": "transformer"}}
    )
    damaged = stage(runs / "new/11-sft", "sft")
    (damaged / "stage.json").write_text("no JSON")
    assert resolve_model(runs / "new") == runs / "new/07-ppo"
    stage(runs / "new/12-pretrain", "pretrain", "2026-03-02T00:00:00+00:00", config={"model": {"family": "llama"}})
    assert resolve_model(runs / "new") == runs / "new/12-pretrain"


def test_of_those_that_ended_in_the_same_second_the_later_in_the_story_is_taken(tmp_path: Path) -> None:
    for name, verb in (("b-ppo", "ppo"), ("c-pretrain", "pretrain"), ("a-sft", "sft")):
        stage(tmp_path / name, verb)
    assert resolve_model(tmp_path) == tmp_path / "b-ppo"


def test_where_there_is_none_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="gptwright start"):
        resolve_model(None)
    stage(tmp_path / "run/01-prepare", "prepare")
    with pytest.raises(ArtifactError, match="no finished stage"):
        resolve_model(tmp_path / "run")


def test_a_base_model_is_called_one(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "new/03-pretrain/model").mkdir()
    for given in (runs / "new/03-pretrain", runs / "new/03-pretrain/model"):
        warn_of_base(given)
        said = capsys.readouterr().err
        assert "base model" in said and "not taught to answer" in said and f"{runs / 'new/07-ppo'} was" in said
    stage(runs / "alone/pretrain", "pretrain")
    warn_of_base(runs / "alone/pretrain")
    assert "gptwright sft teaches it" in capsys.readouterr().err
    for given in (runs / "new/04-sft", runs / "new/07-ppo", runs / "nowhere"):
        warn_of_base(given)
    assert capsys.readouterr().err == ""
