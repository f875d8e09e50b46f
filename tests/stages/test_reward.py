"""What reward leaves; the control; files of pairs; the cut when nothing is held out; what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.generation.load import load_decoder
from gptwright.models.heads import RewardModel
from gptwright.models.huggingface import read_model
from gptwright.stages.catalogue import carry_out
from gptwright.stages.reward import Reward, _read

Refused = Callable[..., str]


def lines(path: Path, objects: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in objects), encoding="utf-8")
    return path


def ranking(number: int, **more: Any) -> dict[str, Any]:
    return {"prompt": f"Question {number}?", "answers": ["The cat.", "A boat."], "ranks": [1, 2], **more}


def test_it_leaves_a_scorer(rewarded: Path) -> None:
    assert isinstance(read_model(rewarded / "model"), RewardModel)


def test_evaluation_and_figures(rewarded: Path) -> None:
    table = json.loads((rewarded / "evaluation.json").read_text(encoding="utf-8"))
    assert set(table) == {"before", "after"}
    assert set(table["after"]) == {"value", "low", "high", "count"}
    assert table["before"]["value"] == 0.5  # a head of zeros: every pair is a tie
    figures = finished_stage(rewarded, "reward")["figures"]
    assert figures.pop("train_rankings") + figures.pop("heldout_rankings") == 12
    assert figures == {"pair_accuracy": table["after"]["value"], "labellers": {"people without a name": 12}}


def test_metrics_names(rewarded: Path) -> None:
    logged = read_metrics(rewarded / "metrics.jsonl")
    assert [line["step"] for line in logged] == [1, 2, 3]
    assert set(logged[0]) == {"step", "loss_nats", "gradient_norm", "rate"}
    assert logged[0]["loss_nats"] == pytest.approx(0.693147, abs=1e-5)  # ln 2: it cannot tell yet


def test_a_tenth_is_held_out_when_no_line_says_so(reward_config: Reward, tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", [ranking(i) for i in range(20)])
    folder = carry_out("reward", replace(reward_config, rankings=(path,), steps=1), tmp_path / "out")
    figures = folder.record["figures"]
    assert figures["train_rankings"] + figures["heldout_rankings"] == 20 and 1 <= figures["heldout_rankings"] <= 5


def test_rankings_of_one_prompt_stand_on_one_side_over_all_files(reward_config: Reward, tmp_path: Path) -> None:
    """Six pairs a prompt, in two files, in the order of the answers and not of the prompts."""
    files = [
        lines(tmp_path / f"{part}.jsonl",
              [ranking(i) | {"answers": [f"Answer {part}.", f"Other {n}."], "ranks": [1, 2]}
               for n in range(3) for i in range(30)])
        for part in range(2)
    ]  # fmt: skip
    sides = _read(replace(reward_config, rankings=tuple(files)), load_decoder(reward_config.base))
    train, heldout = ({str(r.messages) for r, _ in side} for side in (sides.train, sides.heldout))
    assert not train & heldout and len(train | heldout) == 30 and heldout
    assert len(sides.heldout) == 6 * len(heldout) and sides.left_out == 0


def test_pairs_of_one_prompt_are_as_good_as_one(reward_config: Reward, tmp_path: Path) -> None:
    """Each of 4 held-out prompts comes 8 times: the interval is that of few prompts, not of 32 pairs."""
    told = [ranking(i, split="train") for i in range(8)] + [ranking(i, split="heldout") for i in range(8, 12)] * 8
    config = replace(reward_config, rankings=(lines(tmp_path / "r.jsonl", told),), steps=1)
    table = json.loads((carry_out("reward", config, tmp_path / "out") / "evaluation.json").read_text())
    assert table["before"]["count"] >= 32 and table["after"]["high"] - table["after"]["low"] > 0.35


def test_who_ranked_is_noted(reward_config: Reward, tmp_path: Path) -> None:
    told = [ranking(i) | {"labeller": name} for i, name in enumerate(["me", "plain-words", "", "me"] * 3)]
    tied = [ranking(99, ranks=[1, 1]) | {"labeller": "nobody"}]
    config = replace(reward_config, rankings=(lines(tmp_path / "r.jsonl", told + tied),), steps=1)
    figures = carry_out("reward", config, tmp_path / "out").record["figures"]
    assert figures["labellers"] == {"me": 6, "plain-words": 3, "people without a name": 3}


def test_a_split_in_the_file_is_kept_and_ties_teach_nothing(reward_config: Reward, tmp_path: Path) -> None:
    told = [ranking(i) for i in range(5)] + [ranking(i, split="heldout") for i in range(5, 8)]
    tied = [ranking(9, ranks=[1, 1])]
    path = lines(tmp_path / "r.jsonl", told + tied)
    folder = carry_out("reward", replace(reward_config, rankings=(path,), steps=1), tmp_path / "out")
    assert folder.record["figures"]["train_rankings"] == 5
    assert folder.record["figures"]["heldout_rankings"] == 3


def test_pairs_of_chosen_and_rejected(reward_config: Reward, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "pairs.jsonl", [{"prompt": f"{i}?", "chosen": "Yes.", "rejected": "No."} for i in range(10)]
    )
    folder = carry_out("reward", replace(reward_config, rankings=(path,), steps=1), tmp_path / "out")
    assert folder.record["figures"]["train_rankings"] == 9


def test_the_control_says_so_and_leaves_no_model(
    reward_config: Reward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = carry_out("reward", replace(reward_config, shuffled=True), tmp_path / "out")
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
        ([{"prompt": "Who?", "chosen": "Yes."}] * 3, "line 1"),
    ],
)
def test_rankings_that_teach_nothing(
    refused: Refused, tuned: Path, tmp_path: Path, objects: list[dict[str, Any]], says: str
) -> None:
    path = lines(tmp_path / "r.jsonl", objects)
    assert says in refused("reward", "--base", tuned, "--rankings", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--steps", "--rows", "--save-every"])
def test_sizes_that_make_no_sense(refused: Refused, tuned: Path, rankings: Path, tmp_path: Path, option: str) -> None:
    assert "above 0" in refused("reward", "--base", tuned, "--rankings", rankings, option, 0, "--out", tmp_path / "out")


def test_a_reward_model_is_no_base(refused: Refused, rewarded: Path, rankings: Path, tmp_path: Path) -> None:
    message = refused("reward", "--base", rewarded, "--rankings", rankings, "--out", tmp_path / "out")
    assert "a reward model, which scores answers" in message
