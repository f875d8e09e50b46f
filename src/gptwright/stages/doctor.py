"""doctor: is a run healthy, what is wrong with it, why, and what helps. docs/faults.md shows each fault."""

import sys
from pathlib import Path

from gptwright.configs.doctor import Doctor
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, StageFolder
from gptwright.reporting.checks.finding import Finding, tally
from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import collect, collect_stage


def run(config: Doctor) -> None:
    """Prints the findings, the gravest first. Raises `SystemExit` with 1 when one is ill, `ArtifactError` when the
    folder holds no run and no stage, or damaged files."""
    findings = diagnose(config.run)
    for finding in findings:
        print(finding.line)
    print(f"doctor: {tally(findings)}", flush=True)
    if any(finding.level == "ill" for finding in findings):
        sys.exit(1)


def diagnose(path: Path) -> list[Finding]:
    """Findings on a run, or on one stage and those that it names."""
    return check(collect_stage(path) if (path / RECORD).is_file() else collect(path))


def examine(folder: StageFolder) -> None:
    """Says which of the known faults a stage has that has just ended."""
    for finding in diagnose(folder.path):
        if finding.fault:
            say(finding.line)
