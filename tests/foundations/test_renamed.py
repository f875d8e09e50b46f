"""Old names: refused on the command line with the new one as the remedy, read in recipes and run folders."""

import json
from pathlib import Path

import pytest

from gptwright.configs.verbs import VERBS
from gptwright.foundations.errors import ConfigError, UsageError
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.renamed import (
    METRICS,
    OPTIONS,
    VALUES,
    refuse_old_options,
    rename_evaluations,
    rename_options,
)
from gptwright.foundations.runs import finished_stage, open_stage
from gptwright.foundations.settings import settings
from gptwright.recipes.read import read_recipe

OLD = {"tokens": "t", "rows": 4, "length": 64, "schedule": "trapezoid", "dtype": "fast", "average": 2}
NEW = {"tokens": "t", "batch_size": 4, "sequence_length": 64, "schedule": "wsd", "dtype": "auto",
       "average_checkpoints": 2}  # fmt: skip


@settings
class Small:
    batch_size: int = 8
    schedule: str = "wsd"
    added: int = 3
    added_or_none: int | None = None


def folder_of_before(path: Path, state: str) -> Path:
    """A folder as version 0.1 left it."""
    path.mkdir()
    record = {"verb": "pretrain", "config": {"rows": 4, "schedule": "trapezoid"}, "inputs": {}, "state": state,
              "seconds": 1.0, "outputs": {}} | ({"figures": {"loss": 2.0}} if state == "complete" else {})  # fmt: skip
    (path / "stage.json").write_text(json.dumps(record))
    (path / "metrics.jsonl").write_text('{"step": 1, "loss_nats": 2.0, "rate": 0.1}\n')
    return path


@pytest.mark.parametrize("verb", OPTIONS)
def test_new_names_are_options_and_old_ones_are_not(verb: str) -> None:
    options = set(VERBS[verb].config_type.__dataclass_fields__)
    assert not options & OPTIONS[verb].keys()
    assert set(OPTIONS[verb].values()) <= options


@pytest.mark.parametrize("words", [["--rows", "4"], ["--rows=4"], ["--steps", "9", "--rows", "4"]])
def test_an_old_option_is_refused_with_the_new_one(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"needed the option --batch-size; got --rows, its old name.\n  Write --bat"):
        refuse_old_options("pretrain", words)


@pytest.mark.parametrize("words", [["--schedule", "trapezoid"], ["--schedule=trapezoid"]])
def test_an_old_value_is_refused_with_the_new_one(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"Write --schedule wsd\."):
        refuse_old_options("pretrain", words)


@pytest.mark.parametrize("words", [["--evaluate-every", "4"], ["--first-rows", "4"]])
def test_an_old_option_of_two_words(words: list[str]) -> None:
    with pytest.raises(UsageError, match="its old name"):
        refuse_old_options("pretrain", words)


def test_new_names_and_texts_that_look_like_old_ones_pass() -> None:
    refuse_old_options("pretrain", ["--batch-size", "4", "--schedule", "wsd", "--out", "rows"])
    refuse_old_options("generate", ["m", "rows", "--rate"])
    refuse_old_options("generate", [])


def test_a_recipe_is_read(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(
        "[pretrain]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in OLD.items())
    )
    assert read_recipe(tmp_path / "old.toml").steps[0].table == NEW == rename_options("pretrain", OLD)


def test_a_folder_is_gone_on_with_and_written_anew(tmp_path: Path) -> None:
    path = folder_of_before(tmp_path / "old", "unfinished")
    with pytest.raises(ConfigError, match="batch_size = 4"):
        open_stage(path, "pretrain", Small(), {})
    with pytest.raises(ConfigError, match=r"added = 3.*got added = 4"):
        open_stage(path, "pretrain", Small(batch_size=4, added=4), {})
    folder = open_stage(path, "pretrain", Small(batch_size=4), {})
    assert folder.state == "unfinished"
    folder.metrics.rewind(1)
    folder.save()
    assert json.loads((path / "stage.json").read_text())["config"] == {"batch_size": 4, "schedule": "wsd", "added": 3}
    assert json.loads((path / "metrics.jsonl").read_text()) == {"step": 1, "loss_nats": 2.0, METRICS["rate"]: 0.1}


def test_a_finished_folder_is_read(tmp_path: Path) -> None:
    path = folder_of_before(tmp_path / "old", "complete")
    assert finished_stage(path, "pretrain")["metrics"] == {"loss": 2.0}
    assert read_metrics(path / "metrics.jsonl") == [{"step": 1, "loss_nats": 2.0, "learning_rate": 0.1}]
    assert open_stage(path, "pretrain", Small(batch_size=4), {}).state == "complete"


def test_old_values_are_none_of_the_new() -> None:
    assert all(new not in values for values in VALUES.values() for new in values.values())


def test_an_evaluation_of_before_is_read_as_one_of_now() -> None:
    share = {"value": 0.5, "low": 0.4, "high": 0.6, "count": 96}
    model = {"heldout_nats": 3.9, "rule_score": -5, "exact_answers": {"known": share, "half": {"value": 0.5}}}
    new = {"metrics": {"heldout_nats": 3.9, "judge_score": -5}, "estimates": {"known": share}, "samples": [],
           "notes": {}}  # fmt: skip
    assert rename_evaluations({"sft": model}) == {"sft": new}
    assert rename_evaluations({"after": share})["after"]["estimates"] == {"pair_accuracy": share}
    ppo = {"win_rate": share, "kl_nats": 2.0, "rule": "plain-words", "prompts": ["Who?"],
           "models": {"sft": model, "ppo": model | {"examples": ["a", 1]}}}  # fmt: skip
    comparison = {"metrics": {"kl_nats": 2.0}, "estimates": {"win_rate": share}, "samples": ["Who?"],
                  "notes": {"rule": "plain-words"}}  # fmt: skip
    found = rename_evaluations(ppo)
    assert found == {"sft": new, "ppo": new | {"samples": ["a", "1"]}, "comparison": comparison}
    assert rename_evaluations(found) == found


@pytest.mark.parametrize("found", [None, 3, ["not", "a", "table"], {}])
def test_what_is_no_evaluation_counts_as_absent(found: object) -> None:
    assert rename_evaluations(found) == {}


def test_a_name_that_was_a_count_and_is_a_file_now() -> None:
    assert rename_options("rank", {"prompts": 24}) == {"train_prompts": 24}
    assert rename_options("rank", {"prompts": "asked.jsonl"}) == {"prompts": "asked.jsonl"}
    assert rename_options("ppo", {"prompts": "24"}) == {"prompts": "24"}
    refuse_old_options("rank", ["--prompts", "asked.jsonl"])
    with pytest.raises(UsageError, match="needed the option --train-prompts; got --prompts"):
        refuse_old_options("rank", ["--prompts", "24"])
