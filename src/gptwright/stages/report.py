"""report: one page about a run, what it learned and whether it is healthy; of several, one that compares or lists."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gptwright.configs.report import Report
from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.errors import ArtifactError, ConfigError, GptwrightError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD
from gptwright.reporting.checks.finding import Finding, tally
from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import Run, collect, runs_in
from gptwright.reporting.judgements import read_judgements
from gptwright.reporting.page import page
from gptwright.reporting.runs_page import comparison_page, index_page

REPORT, COMPARISON, INDEX = "report.html", "comparison.html", "index.html"


def run(config: Report) -> Path:
    """Writes the page and prints its path on stdout; of one run says the findings.

    Raises `ArtifactError` when a folder holds no run, or damaged files.
    """
    first, *others = config.runs
    if others:
        path, html = _comparison(config.runs, config.out)
    elif inside := runs_in(first):
        if config.judgements:
            raise ConfigError("one run with --judgements", f"a folder of {len(inside)}", "Give the run's folder.")
        path, html = _index(first, inside, config.out)
    else:
        path, html = _report(first, config)
    write_text(path, html)
    print(path, flush=True)
    return path


def _report(folder: Path, config: Report) -> tuple[Path, str]:
    found = collect(folder)
    policy = found.policy
    if config.judgements:
        if policy is None:
            raise ArtifactError(f"a policy to judge in {found.path}", "none", "Leave out --judgements.")
        found = replace(found, judgements=read_judgements(config.judgements, policy.path))
    findings = check(found)
    for finding in findings:
        say(finding.line)
    say(f"report: {tally(findings)}")
    return config.out or found.path / REPORT, page(found, findings)


def _comparison(folders: Sequence[Path], out: Path | None) -> tuple[Path, str]:
    """Into the folder that holds all of them."""
    runs = [collect(folder) for folder in folders]
    parents = {folder.parent for folder in folders}
    holds_all = parents.pop() if len(parents) == 1 else Path(os.path.commonpath([each.resolve() for each in parents]))
    path = out or holds_all / COMPARISON
    reports = {found.path: report for found in runs if (report := found.path / REPORT).is_file()}
    return path, comparison_page(runs, reports, path)


def _index(folder: Path, inside: Sequence[Path], out: Path | None) -> tuple[Path, str]:
    """With a report of every run that has none, or has gone on since. One that cannot be read is said, in the list."""
    listed: list[tuple[Run, list[Finding]]] = []
    refused: dict[str, str] = {}
    path = out or folder / INDEX
    for each in inside:
        try:
            found = collect(each)
            listed.append((found, findings := check(found)))
            if not _up_to_date(each):
                write_text(each / REPORT, page(found, findings))
        except GptwrightError as error:
            refused[each.name] = str(error)
            say(f"report: {each} is left out: {error}")
    return path, index_page(folder, listed, refused, {each: each / REPORT for each in inside}, path)


def _up_to_date(folder: Path) -> bool:
    report = folder / REPORT
    written = report.stat().st_mtime if report.is_file() else 0.0
    return all(record.stat().st_mtime <= written for record in folder.glob(f"*/{RECORD}"))
