"""report: one page about a run, what it learned and whether it is healthy."""

from dataclasses import replace
from pathlib import Path

from gptwright.configs.report import Report
from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.reporting.checks.finding import tally
from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import collect
from gptwright.reporting.judgements import read_judgements
from gptwright.reporting.page import page

REPORT = "report.html"


def run(config: Report) -> Path:
    """Writes the run's report.html, prints its path on stdout and says the findings.

    Raises `ArtifactError` when the folder holds no run, or damaged files.
    """
    found = collect(config.run)
    policy = found.policy
    if config.judgements:
        if policy is None:
            raise ArtifactError(f"a policy to judge in {config.run}", "none", "Leave out --judgements.")
        found = replace(found, judgements=read_judgements(config.judgements, policy.path))
    findings = check(found)
    path = config.run / REPORT
    write_text(path, page(found, findings))
    for finding in findings:
        say(finding.line)
    say(f"report: {tally(findings)}")
    print(path, flush=True)
    return path
