"""What reward leaves; the control; files of pairs; the cut when nothing is held out; what it refuses."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from gptwright.alignment.demonstrations import demonstrations, read_conversations
from gptwright.configs.reward import LOSSES
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.intake import Intake
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.models.formats.huggingface import read_model
from gptwright.models.heads import RewardModel
from gptwright.objectives import ranking as objectives
from gptwright.pipelines.load import load
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.recipes.stage import execute_stage
from gptwright.stages.reward import Reward
from gptwright.training.evaluation import read_evaluations

Refused = Callable[..., str]


def lines(path: Path, objects: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in objects), encoding="utf-8")
    return path


def ranking(number: int, **more: Any) -> dict[str, Any]:
    return {"prompt": f"Question {number}?", "answers": ["The cat.", "A boat."], "ranks": [1, 2], **more}


def test_it_leaves_a_scorer(rewarded: Path) -> None:
    assert isinstance(read_model(rewarded / "model"), RewardModel)


def test_evaluation_and_figures(rewarded: Path) -> None:
    found = read_evaluations(rewarded)
    assert set(found) == {"before", "after"}
    before, after = (found[name].estimates["pair_accuracy"] for name in ("before", "after"))
    assert before.value == 0.5  # a head of zeros: every pair is a tie
    metrics = finished_stage(rewarded, "reward")["metrics"]
    assert metrics.pop("train_rankings") + metrics.pop("heldout_rankings") == 12
    assert metrics == {"pair_accuracy": after.value, "all_tied": 0.0, "labellers": {"people without a name": 12}}


def test_metrics_names(rewarded: Path) -> None:
    logged = read_metrics(rewarded / "metrics.jsonl")
    assert [line["step"] for line in logged] == [1, 2, 3]
    assert set(logged[0]) == {"step", "loss_nats", "gradient_norm", "learning_rate"}
    assert logged[0]["loss_nats"] == pytest.approx(0.693147, abs=1e-5)  # ln 2: it cannot tell yet


def test_a_tenth_is_held_out_when_no_line_says_so(reward_config: Reward, tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", [ranking(i, split=None) for i in range(20)])
    folder = execute_stage("reward", replace(reward_config, rankings=(path,), steps=1), tmp_path / "out")
    metrics = folder.record["metrics"]
    assert metrics["train_rankings"] + metrics["heldout_rankings"] == 20 and 1 <= metrics["heldout_rankings"] <= 6


def test_a_split_in_the_file_is_kept_and_ties_teach_nothing(
    reward_config: Reward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("heldout", "validation", "Test")
    told = [ranking(i) for i in range(5)] + [ranking(i + 5, split=word) for i, word in enumerate(words)]
    tied = [ranking(9, ranks=[1, 1]), ranking(10, ranks=[2, 2], split="heldout")]
    path = lines(tmp_path / "r.jsonl", told + tied)
    folder = execute_stage("reward", replace(reward_config, rankings=(path,), steps=1), tmp_path / "out")
    assert folder.record["metrics"]["train_rankings"] == 5
    assert folder.record["metrics"]["heldout_rankings"] == 3
    assert (
        "reward: 5 rankings to train on, 0.4 times each, 3 held out; "
        f"2 dropped (2 all tied, the first on line 9 of {path})"
    ) in capsys.readouterr().err


@pytest.mark.parametrize("held", [0, 4])
def test_the_held_out_are_chosen_among_those_that_can_be_compared(
    reward_config: Reward, tmp_path: Path, held: int
) -> None:
    tied = [ranking(i, ranks=[1, 1], split="heldout" if i < held else None) for i in range(100)]
    path = lines(tmp_path / "r.jsonl", [*tied, ranking(1000), ranking(1001)])
    metrics = execute_stage("reward", replace(reward_config, rankings=(path,), steps=1), tmp_path / "out").record[
        "metrics"
    ]
    assert (metrics["train_rankings"], metrics["heldout_rankings"]) == (1, 1)


def test_pairs_of_chosen_and_rejected(reward_config: Reward, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "pairs.jsonl", [{"prompt": f"{i}?", "chosen": "Yes.", "rejected": "No."} for i in range(10)]
    )
    folder = execute_stage("reward", replace(reward_config, rankings=(path,), steps=1), tmp_path / "out")
    metrics = folder.record["metrics"]
    assert metrics["train_rankings"] + metrics["heldout_rankings"] == 10 and metrics["train_rankings"] >= 5


def test_the_control_says_so_and_leaves_no_model(
    reward_config: Reward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = execute_stage("reward", replace(reward_config, shuffled=True), tmp_path / "out")
    assert "control, shuffled ranks" in capsys.readouterr().err
    assert folder.record["config"]["shuffled"] is True
    assert (folder / "evaluation.json").is_file()
    assert not (folder / "model").exists()


@pytest.mark.parametrize(
    ("objects", "says"),
    [
        ([], "an empty file"),
        ([ranking(1)], "at least two rankings"),
        ([ranking(1, ranks=[1, 1])] * 3, "at least two rankings"),
        ([ranking(1, answers=["alone"], ranks=[1])] * 3, "two or more answers"),
        ([ranking(1, ranks=[0, 1])] * 3, "whole numbers from 1"),
        ([ranking(1), ranking(1, ranks=[1, float("nan")])], "NaN is no number"),
        ([{"prompt": "Who?", "chosen": "Yes."}] * 3, "line 1"),
        ([ranking(i, ranks=[1, 1]) for i in range(9)], "9 dropped (9 all tied, the first on line 1 of"),
        ([ranking(i, answers=["a " * 200, "b " * 200]) for i in range(9)], "9 without two answers to compare"),
        ([ranking(i, answers=["a", "a"]) for i in range(9)], "9 without two answers to compare"),
        ([ranking(i, split="tain") for i in range(9)], "Did you mean 'train'"),
        ([ranking(i, split="test") for i in range(9)], "one to train on"),
    ],
)
def test_rankings_that_teach_nothing(
    refused: Refused, tuned: Path, tmp_path: Path, objects: list[dict[str, Any]], says: str
) -> None:
    path = lines(tmp_path / "r.jsonl", objects)
    assert says in refused("reward", "--base", tuned, "--rankings", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["steps", "batch_size", "save_every"])
def test_sizes_that_make_no_sense(refused: Refused, tuned: Path, rankings: Path, tmp_path: Path, option: str) -> None:
    words = ("--base", tuned, "--rankings", rankings, f"--{option.replace('_', '-')}", 0, "--out", tmp_path / "out")
    assert f"needed {option} from 1" in refused("reward", *words)


def test_a_reward_model_is_no_base(refused: Refused, rewarded: Path, rankings: Path, tmp_path: Path) -> None:
    message = refused("reward", "--base", rewarded, "--rankings", rankings, "--out", tmp_path / "out")
    assert "a reward model, which scores answers" in message


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_begins_at_ln_2_or_its_like_and_leaves_all_figures(
    reward_config: Reward, tmp_path: Path, loss: str
) -> None:
    assert objectives.LOSSES == LOSSES
    folder = execute_stage("reward", replace(reward_config, loss=loss, steps=1), tmp_path / "out")
    first = read_metrics(folder / "metrics.jsonl")[0]["loss_nats"]
    assert first == pytest.approx((log(3) + log(2)) / 2 if loss == "plackett-luce" else log(2), abs=1e-5)
    found = read_evaluations(folder.path)["after"].estimates
    figures = {"kendall_tau_b", "ndcg", "top1_regret", "calibration_error", "score_length_correlation"}
    assert figures | {"pair_accuracy", "pair_accuracy, neighbours"} <= found.keys()


def test_demonstrations_score_0_on_the_average_and_differences_stay(
    reward_config: Reward, material: Path, tmp_path: Path
) -> None:
    plainly = replace(reward_config, learning_rate=0.1)
    shown = replace(plainly, demonstrations=(material / "talk.jsonl",))
    found, before = (load(execute_stage("reward", config, tmp_path / name).path)
                     for config, name in ((shown, "out"), (plainly, "plain")))  # fmt: skip
    assert isinstance(found, SequenceScorer) and isinstance(before, SequenceScorer)
    talks = demonstrations(read_conversations(material / "talk.jsonl", Intake("")), found.tokenizer, 64, Intake(""))
    rows = [talk.whole for talk in talks]
    shifted, plain = found.logits(rows), before.logits(rows)
    assert shifted.mean().item() == pytest.approx(0, abs=1e-5) and plain.mean().abs() > 1e-3
    torch.testing.assert_close(shifted - shifted[0], plain - plain[0], atol=1e-5, rtol=1e-4)
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "model")
    with torch.no_grad():
        logit = theirs(torch.tensor(rows[:1])).logits[0, 0]
    assert logit.item() - theirs.config.mean == pytest.approx(shifted[0].item(), abs=1e-4)


def test_a_mean_that_is_no_number_is_refused(rewarded: Path, tmp_path: Path) -> None:
    shutil.copytree(rewarded / "model", tmp_path / "model")
    table = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "manifest.json").unlink(missing_ok=True)
    (tmp_path / "model" / "config.json").write_text(json.dumps(table | {"mean": "high"}))
    with pytest.raises(ArtifactError, match="a number as 'mean'"):
        read_model(tmp_path / "model")


def test_labellers_are_weighed_by_agreement(
    reward_config: Reward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three agree and one ranks the other way round: weighed, what he says counts for nothing."""
    names = {"Ann": [1, 2], "Bob": [1, 2], "Cy": [1, 2], "Di": [2, 1]}
    some = [ranking(i, labeller=name, ranks=ranks) for i in range(8) for name, ranks in names.items()]
    config = replace(reward_config, rankings=(lines(tmp_path / "r.jsonl", some),), batch_size=30, steps=1)
    losses: list[float] = []
    for weights in ("equal", "agreement"):
        folder = execute_stage("reward", replace(config, labeller_weights=weights, steps=20, learning_rate=0.01),
                               tmp_path / weights)  # fmt: skip
        assert folder.record["metrics"]["label_noise"] == pytest.approx(0.5)
        losses.append(read_metrics(folder / "metrics.jsonl")[-1]["loss_nats"])
    assert "agreement with other labellers (τ): Ann 0.33, Bob 0.33, Cy 0.33, Di -1.00" in capsys.readouterr().err
    assert losses[1] < losses[0] - 0.1, "without Di's there is nothing that contradicts"


def test_estimated_noise_is_noted(reward_config: Reward, tmp_path: Path) -> None:
    twice = [ranking(i, labeller=name) for i in range(6) for name in ("Ann", "Bob")]
    config = replace(reward_config, rankings=(lines(tmp_path / "r.jsonl", twice),), steps=1)
    folder = execute_stage("reward", replace(config, labeller_weights="agreement"), tmp_path / "out")
    assert folder.record["metrics"]["label_noise"] == 0.0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--labeller-weights", "agreement"), "no pair that two of them judged"),
        (("--loss", "lambdrank"), "lambdarank"),
        (("--labeller-weights", "agree"), "agreement"),
        (("--label-noise", "0.5"), "label_noise from 0 to below 0.5"),
        (("--loss", "plackett-luce", "--label-noise", "0.1"), "a loss over pairs"),
        (("--shuffled", "--demonstrations", "x.jsonl"), "which leaves none"),
        (("--demonstrations", "absent.jsonl"), "absent.jsonl"),
    ],
)
def test_options_that_do_not_fit(
    refused: Refused, tuned: Path, rankings: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    assert says in refused("reward", "--base", tuned, "--rankings", rankings, "--out", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


def test_demonstrations_without_an_answer_are_refused(
    refused: Refused, tuned: Path, rankings: Path, tmp_path: Path
) -> None:
    path = lines(tmp_path / "d.jsonl", [{"messages": [{"role": "user", "content": "Who?"}]}])
    words = ("--base", tuned, "--rankings", rankings, "--demonstrations", path, "--out", tmp_path / "out")
    assert "demonstrations to score 0" in refused("reward", *words)
