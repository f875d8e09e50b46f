from collections.abc import Callable
from pathlib import Path
from typing import Any

from gptwright.reporting.collect import Run, collect
from gptwright.reporting.lineage import CONTROL
from gptwright.reporting.page import facts
from gptwright.reporting.story import story

Writer = Callable[..., Path]


def accuracy(value: float) -> dict[str, Any]:
    estimate = {"value": value, "low": value, "high": value, "count": 9}
    return {"after": {"estimates": {"pair_accuracy": estimate}}}


def accuracies(run: Run) -> list[float | None]:
    """Of the reward model and of its control."""
    found = [run.estimate(role, "after", "pair_accuracy") for role in ("reward", CONTROL)]
    return [estimate and estimate.value for estimate in found]


def test_a_whole_story_is_one_family(whole_run: Path) -> None:
    run = collect(whole_run)
    assert run.lineage == run.stages


def test_whatever_folders_are_called_none_stands_before_what_it_was_made_from(
    tmp_path: Path, stage_writer: Writer
) -> None:
    before: list[str] = []
    for name, verb in (("text", "prepare"), ("ids", "tokenize"), ("gpt", "pretrain"), ("chat", "sft")):
        stage_writer(tmp_path / name, verb, reads=before)
        before.append(name)
    assert [stage.path.name for stage in collect(tmp_path).lineage] == ["text", "ids", "gpt", "chat"]


def test_neighbours_give_no_figures(whole_run: Path, stage_writer: Writer) -> None:
    """Each lies behind the stage that counts, and is made from the same base."""
    stage_writer(whole_run / "06-reward-tried", "reward", evaluation=accuracy(0.3), reads=["04-sft"], seconds=500,
                 history=[{"step": 1}])  # fmt: skip
    stage_writer(whole_run / "07-reward-tried-control", "reward", config={"shuffled": True}, evaluation=accuracy(0.9),
                 reads=["04-sft"])  # fmt: skip
    stage_writer(whole_run / "04-sft-tried", "sft", evaluation={"sft": {}}, reads=["02-tokenize", "03-pretrain"])
    stage_writer(whole_run / "03-pretrain-other", "pretrain", metrics={"parameters": 7}, reads=["02-tokenize"])
    run = collect(whole_run)
    assert accuracies(run) == [0.8, 0.5]
    assert run.evaluations("sft")["sft"].estimates["held-out form"].value == 0.9
    assert run.seconds == 108 and dict(facts(run))["parameters"] == "1.5 million"
    assert [line.name for line in story(run) if line.state == "not part of ppo"] == [
        "pretrain-other", "sft-tried", "reward-tried", "reward-tried-control",
    ]  # fmt: skip


def test_of_two_policies_the_last_brings_its_own_ancestors(whole_run: Path, stage_writer: Writer) -> None:
    stage_writer(whole_run / "09-reward-b", "reward", evaluation=accuracy(0.6), reads=["04-sft"])
    stage_writer(whole_run / "10-ppo-b", "ppo", complete=False, reads=["04-sft", "09-reward-b"])
    run = collect(whole_run)
    names = [stage.name for stage in run.lineage]
    assert names == ["prepare", "tokenize", "pretrain", "sft", "reward-b", "ppo-b"]
    assert accuracies(run) == [0.6, None] and run.stage(CONTROL) is None


def test_a_stage_that_was_made_anew_is_no_ancestor(whole_run: Path) -> None:
    """Its folder has the same name, but other bytes."""
    record = whole_run / "04-sft/stage.json"
    record.write_text(record.read_text().replace('"made": "', '"made": "0'))
    run = collect(whole_run)
    assert run.stage("sft") is None and run.evaluations("sft") == {} and run.wins() is not None


def test_the_latest_kind_is_what_the_folder_is_about(whole_run: Path) -> None:
    (whole_run / "08-ppo/stage.json").unlink()
    run = collect(whole_run)
    assert run.lineage == run.stages and run.lineage[-1].role == CONTROL
    for name in ("06-reward", "07-reward-control"):
        (whole_run / name / "stage.json").unlink()
    assert [stage.name for stage in collect(whole_run).lineage][-1] == "rank"
