from collections.abc import Callable
from pathlib import Path

import pytest

from gptwright.reporting.checks.work import check_work, finished, memory, wall_time
from gptwright.reporting.collect import collect


@pytest.mark.parametrize(("taken", "level"), [(80, "healthy"), (79, "watch"), (120, "healthy"), (121, "watch")])
def test_time_may_be_off_by_a_fifth(taken: float, level: str) -> None:
    finding = wall_time(taken, 100, "planned")
    assert finding and finding.level == level


@pytest.mark.parametrize(("peak", "level"), [(12.8, "healthy"), (12.9, "watch")])
def test_a_fifth_of_the_memory_stays_free(peak: float, level: str) -> None:
    finding = memory(peak, 16.0)
    assert finding and finding.level == level


def test_without_plan_or_record_there_is_no_finding() -> None:
    assert (wall_time(100, 0, "planned"), memory(None, 16.0), memory(1.0, None)) == (None, None, None)


def asked_of(folder: Path, minutes: float) -> None:
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("minutes = 2", f"minutes = {minutes}"))


@pytest.mark.parametrize(
    ("minutes", "level", "off"), [(2, "healthy", "-5%"), (1, "watch", "+90%"), (4, "watch", "-52%")]
)
def test_a_finished_run_is_held_to_the_minutes_asked_for(whole_run: Path, minutes: float, level: str, off: str) -> None:
    """108 s in stages and 6 s before them, whatever was planned."""
    asked_of(whole_run, minutes)
    (finding,) = [v for v in check_work(collect(whole_run)) if "asked for" in v.title]
    assert finding.level == level and "1\u00a0min 54\u00a0s of " in finding.evidence and f"({off})" in finding.evidence


def test_an_unfinished_run_is_held_to_the_plan_of_its_finished_stages(whole_run: Path) -> None:
    """Without ppo, 87 s of 86 s."""
    record = whole_run / "08-ppo/stage.json"
    record.write_text(record.read_text().replace("complete", "unfinished"))
    (finding,) = [v for v in check_work(collect(whole_run)) if "planned" in v.title]
    assert "27\u00a0s of 1\u00a0min 26" in finding.evidence


def test_a_run_that_stopped_says_where(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(tmp_path / "01-pretrain", "pretrain", complete=False, config={"steps": 50}, history=[{"step": 7}])
    (tmp_path / "recipe.toml").write_text("[pretrain]\n[sft]\n")
    finding = finished(collect(tmp_path))
    assert finding.level == "watch" and finding.evidence == "pretrain stopped after 7 of 50; not begun: sft"
