import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gptwright.evaluation.intervals import share
from gptwright.foundations.errors import ArtifactError
from gptwright.reporting.collect import collect, runs_in
from gptwright.reporting.judgements import Wins
from gptwright.reporting.lineage import CONTROL
from gptwright.training.evaluation import Estimate, Evaluation


def test_a_whole_run_is_read(whole_run: Path) -> None:
    run = collect(whole_run)
    roles = ["prepare", "tokenize", "pretrain", "sft", "rank", "reward", CONTROL, "ppo"]
    assert [stage.role for stage in run.stages] == roles and run.missing == []
    assert run.planned["reward-control"] == 4.0 and "start" not in run.planned and run.minutes == 2
    assert run.seconds == 1 + 2 + 41 + 30 + 5 + 4 + 4 + 21 and run.peak_memory_gb == 1.5
    assert [sample.step for sample in run.samples] == [20, 40, 60, 80]
    assert run.sources is not None and run.sources.total.dropped == {"duplicate": 4}


def test_scores_are_found_by_role(whole_run: Path) -> None:
    run = collect(whole_run)
    found = [run.estimate("reward", "after", "pair_accuracy"), run.estimate(CONTROL, "after", "pair_accuracy"),
             run.estimate("ppo", "comparison", "win_rate"), run.estimate("sft", "sft", "held-out form")]  # fmt: skip
    assert [share and share.value for share in found] == [0.8, 0.5, 0.9, 0.9]
    assert run.estimate("dpo", "dpo", "win_rate") is None and run.estimate("sft", "dpo", "win_rate") is None


def test_wins_are_judged_by_people_where_they_did_else_by_the_stage(whole_run: Path) -> None:
    run, people = collect(whole_run), Wins(share(3, 4), "people")
    assert run.wins() == Wins(Estimate(0.9, 0.85, 0.9 + 0.05, 100), "the rule “plain-words”")
    assert replace(run, judgements=people).wins() == people
    path = whole_run / "08-ppo/evaluation.json"
    path.write_text(path.read_text().replace('"rule": "plain-words"', ""))
    wins = collect(whole_run).wins()
    assert wins and wins.judge == "the reward model itself" and not wins.independent


def test_a_curve_leaves_out_what_is_not_finite(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    history = [{"step": 1, "loss_nats": 2.0}, {"step": 2, "loss_nats": float("nan")}, {"step": 3, "heldout_nats": 1.0}]
    stage_writer(tmp_path / "01-pretrain", "pretrain", history=history)
    (stage,) = collect(tmp_path).stages
    assert stage.curve("loss_nats") == [(1, 2.0)] and stage.steps_done == 3


def test_a_run_without_recipe_or_with_unfinished_stages_is_read(
    tmp_path: Path, stage_writer: Callable[..., Path]
) -> None:
    stage_writer(tmp_path / "03-pretrain", "pretrain", complete=False, config={"steps": 50}, history=[{"step": 7}])
    run = collect(tmp_path)
    (stage,) = run.stages
    assert (stage.complete, stage.steps, stage.steps_done, stage.metrics) == (False, 50, 7, {})
    assert (run.expected, run.planned, run.sources, run.samples) == ([], {}, None, [])
    assert run.wins() is None and run.evaluations("pretrain") == run.evaluations("sft") == {}


def test_the_recipe_says_what_is_missing(whole_run: Path) -> None:
    for file in (whole_run / "08-ppo").iterdir():
        file.unlink()
    assert collect(whole_run).missing == ["ppo"]


def test_of_two_stages_of_a_role_the_last_folder_counts(whole_run: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(whole_run / "09-ppo-again", "ppo")
    stage = collect(whole_run).stage("ppo")
    assert stage and stage.name == "ppo-again"


@pytest.mark.parametrize("make", ["nothing", "empty", "file", "stage"])
def test_what_is_no_run_folder_is_refused(tmp_path: Path, stage_writer: Callable[..., Path], make: str) -> None:
    path = tmp_path / "run"
    if make == "empty":
        path.mkdir()
    elif make == "file":
        path.write_text("text")
    elif make == "stage":
        stage_writer(path, "sft")
    with pytest.raises(ArtifactError, match="needed a run folder"):
        collect(path)


def test_runs_are_found_in_a_folder_and_itself_where_it_holds_stages_too(
    tmp_path: Path, stage_writer: Callable[..., Path]
) -> None:
    stage_writer(tmp_path / "b/01-prepare", "prepare")
    stage_writer(tmp_path / "a/01-prepare", "prepare")
    (tmp_path / "empty").mkdir()
    assert runs_in(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert runs_in(tmp_path / "a") == runs_in(tmp_path / "empty") == runs_in(tmp_path / "nothere") == []
    stage_writer(tmp_path / "loose", "sft")
    stage_writer(tmp_path / "loose/inner", "sft")  # of a stage that does others, no run
    assert runs_in(tmp_path) == [tmp_path / "a", tmp_path / "b", tmp_path]


@pytest.mark.parametrize("name", ["recipe.toml", "04-sft/evaluation.json", "04-sft/stage.json"])
def test_a_damaged_file_is_named(whole_run: Path, name: str) -> None:
    (whole_run / name).write_text("{ [")
    with pytest.raises(ArtifactError, match=name):
        collect(whole_run)


def test_records_of_another_shape_are_survived(whole_run: Path) -> None:
    (whole_run / "08-ppo/evaluation.json").write_text(json.dumps(["not", "a", "table"]))
    (whole_run / "04-sft/evaluation.json").write_text(json.dumps({"sft": 3}))
    run = collect(whole_run)
    assert run.wins() is None and run.evaluations("sft")["sft"] == Evaluation()
