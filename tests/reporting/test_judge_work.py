from collections.abc import Callable
from pathlib import Path

import pytest

from gptwright.reporting.collect import collect
from gptwright.reporting.judge_work import finished, judge_work, memory, wall_time


@pytest.mark.parametrize(("taken", "level"), [(80, "healthy"), (79, "watch"), (120, "healthy"), (121, "watch")])
def test_time_may_be_off_by_a_fifth(taken: float, level: str) -> None:
    verdict = wall_time(taken, 100)
    assert verdict and verdict.level == level


@pytest.mark.parametrize(("peak", "level"), [(12.8, "healthy"), (12.9, "watch")])
def test_a_fifth_of_the_memory_stays_free(peak: float, level: str) -> None:
    verdict = memory(peak, 16.0)
    assert verdict and verdict.level == level


def test_without_plan_or_record_there_is_no_verdict() -> None:
    assert (wall_time(100, 0), memory(None, 16.0), memory(1.0, None)) == (None, None, None)


def test_only_finished_stages_are_held_to_the_plan(whole_run: Path) -> None:
    """108 s of 106 s planned; without ppo, 87 s of 86 s."""
    (verdict,) = [v for v in judge_work(collect(whole_run)) if "planned" in v.title]
    assert verdict.level == "healthy" and "48\u00a0s of 1\u00a0min 46" in verdict.evidence
    record = whole_run / "08-ppo/stage.json"
    record.write_text(record.read_text().replace("complete", "unfinished"))
    (verdict,) = [v for v in judge_work(collect(whole_run)) if "planned" in v.title]
    assert "27\u00a0s of 1\u00a0min 26" in verdict.evidence


def test_a_run_that_stopped_says_where(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(tmp_path / "01-pretrain", "pretrain", complete=False, config={"steps": 50}, metrics=[{"step": 7}])
    (tmp_path / "recipe.toml").write_text("[pretrain]\n[sft]\n")
    verdict = finished(collect(tmp_path))
    assert verdict.level == "watch" and verdict.evidence == "pretrain stopped after 7 of 50; not begun: sft"
