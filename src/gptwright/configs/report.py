"""Options of report."""

from pathlib import Path

import tyro

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import settings

MOST = 10  # lines that can be told from each other in a chart


@settings
class Report:
    """Write a page: what a run learned and whether it is healthy, several runs side by side, or a list of runs."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """run folder, as `start` or `run` leaves it; several, to compare them; or a folder of runs, to list them"""
    judgements: Path | None = None
    """how people judge the policy of one run: the answers.jsonl of ppo, with "ranks" in every line"""
    out: Path | None = None
    """the page; else report.html in the run, comparison.html beside the runs, index.html in the folder of runs"""

    def __post_init__(self) -> None:
        if not 1 <= len(self.runs) <= MOST:
            raise ConfigError(f"1 to {MOST} run folders", str(len(self.runs)),
                              "Give each, or the folder in which they lie.")  # fmt: skip
        paths = [run.resolve() for run in self.runs]
        if twice := next((run for run in self.runs if paths.count(run.resolve()) > 1), None):
            raise ConfigError("different runs", f"{twice} twice", "Leave one out.")
        if self.judgements and len(self.runs) > 1:
            raise ConfigError("one run with --judgements", str(len(self.runs)), "Make a report of that run first.")
