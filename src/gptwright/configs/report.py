"""Options of report."""

from pathlib import Path

import tyro

from gptwright.foundations.settings import settings


@settings
class Report:
    """Write report.html for a run: what it learned and whether it is healthy."""

    run: tyro.conf.Positional[Path]
    """run folder, as `start` or `run` leaves it"""
    judgements: Path | None = None
    """how people judge the policy: the answers.jsonl of ppo, with "ranks" in every line"""
