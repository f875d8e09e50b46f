from collections.abc import Callable
from pathlib import Path

from gptwright.reporting.collect import collect
from gptwright.reporting.story import loop, story


def test_each_stage_has_its_key_figure(whole_run: Path) -> None:
    found = {line.name: line.result.replace("\u00a0", " ") for line in story(collect(whole_run))}
    assert found == {
        "prepare": "120,000 characters in 120 documents",
        "tokenize": "30,000 tokens, 3.00 bytes each",
        "pretrain": "1.600 bits a byte, held out",
        "sft": "90 % of new question forms right",
        "rank": "64 rankings",
        "reward": "80.0 % of held-out pairs right",
        "reward-control": "50.0 % of held-out pairs right",
        "ppo": "90 % wins at 4.0 nats",
    }


def test_the_round_has_the_runs_own_figures(whole_run: Path) -> None:
    found = [(gives, figure.replace("\u00a0", " ")) for gives, figure in loop(collect(whole_run))]
    assert found[1:] == [
        ("it writes", "1.600 bits a byte, held out"),
        ("it answers", "90 % of new question forms right"),
        ("answers are ranked", "64 rankings"),
        ("a model judges", "80.0 % of held-out pairs right"),
        ("it answers as preferred", "90 % wins at 4.0 nats"),
    ]


def test_planned_and_taken_stand_side_by_side(whole_run: Path) -> None:
    pretrain = story(collect(whole_run))[2]
    assert (pretrain.planned, pretrain.taken, pretrain.share) == ("40\u00a0s", "41\u00a0s", 1.0)


def test_stages_that_stopped_or_wait_are_told(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(tmp_path / "01-pretrain", "pretrain", complete=False, config={"steps": 50}, history=[{"step": 7}])
    (tmp_path / "recipe.toml").write_text("[pretrain]\n[sft]\n")
    assert [(line.name, line.state, line.result) for line in story(collect(tmp_path))] == [
        ("pretrain", "stopped after 7 of 50", ""),
        ("sft", "not begun", ""),
    ]


def test_a_verb_that_is_not_known_shows_its_first_figures(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(tmp_path / "01-distil", "distil", metrics={"win_rate": 0.5, "note": "text", "kl_nats": 1.0})
    (line,) = story(collect(tmp_path))
    assert (line.result, line.meaning) == ("win rate 0.5", "distil")


def test_a_task_that_was_learned_is_part_of_the_story(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    after = {
        "metrics": {"heldout_nats": 0.5},
        "estimates": {"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9, "count": 60}},
    }
    stage_writer(tmp_path / "01-finetune", "finetune", metrics={"train_examples": 300}, evaluation={"after": after})
    (line,) = story(collect(tmp_path))
    assert (line.meaning, line.result.replace("\u00a0", " ")) == (
        "learns a task",
        "accuracy 0.800 on 60 held-out examples",
    )
