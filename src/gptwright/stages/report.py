"""report: one page about a run, what it learned and whether it is healthy."""

from dataclasses import replace
from pathlib import Path

from gptwright.configs.report import Report
from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.reporting.checks.registry import judge
from gptwright.reporting.collect import collect
from gptwright.reporting.judgements import read_judgements
from gptwright.reporting.page import page
from gptwright.reporting.verdict import tally

REPORT = "report.html"


def run(config: Report) -> Path:
    """Writes the run's report.html, prints its path on stdout and says the verdicts.

    Raises `ArtifactError` when the folder holds no run, or damaged files.
    """
    found = collect(config.run)
    policy = found.stage("ppo")
    if config.judgements:
        if policy is None:
            raise ArtifactError(f"a policy to judge in {config.run}", "no folder of ppo", "Leave out --judgements.")
        found = replace(found, judgements=read_judgements(config.judgements, policy.path))
    verdicts = judge(found)
    path = config.run / REPORT
    write_text(path, page(found, verdicts))
    for verdict in verdicts:
        advice = f"  → {verdict.advice}" if verdict.advice and verdict.level != "healthy" else ""
        say(f"  {verdict.level:7}  {verdict.title}: {verdict.evidence}{advice}")
    say(f"report: {tally(verdicts)}")
    print(path, flush=True)
    return path
