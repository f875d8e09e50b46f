import json
from collections.abc import Callable
from pathlib import Path

from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import collect


def test_a_healthy_run_is_healthy_throughout(whole_run: Path) -> None:
    findings = check(collect(whole_run))
    assert {finding.level for finding in findings} == {"healthy"} and len(findings) == 21
    assert all(finding.title and finding.evidence for finding in findings)


def test_the_gravest_come_first(whole_run: Path) -> None:
    path = whole_run / "08-ppo/evaluation.json"
    models = json.loads(path.read_text())
    models["comparison"]["metrics"]["kl_nats"] = 20.0
    models["ppo"]["metrics"]["distinct_pairs"] = 0.1
    path.write_text(json.dumps(models))
    findings = check(collect(whole_run))
    assert [finding.level for finding in findings[:3]] == ["ill", "watch", "healthy"]
    assert "20.0" in findings[0].evidence and findings[0].advice and findings[1].advice


def test_a_stage_that_stopped_is_not_judged_by_its_beginning(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    begin = [{"step": 1, "ended": 0.1, "explained_variance": 0.0, "first_ratio_error": 1e-6}]
    stage_writer(tmp_path / "01-ppo", "ppo", complete=False, config={"updates": 9}, history=begin)
    assert [finding.title for finding in check(collect(tmp_path))] == [
        "The run is not finished",
        "Sampler and trainer agree",
    ]
