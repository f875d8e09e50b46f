"""comparison.html, runs side by side, and index.html, the list of a folder's runs: two pages in the report's style."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from markupsafe import Markup, escape

from gptwright.foundations.version import __version__
from gptwright.reporting.charts import Tone
from gptwright.reporting.checks.finding import Finding, tally
from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import Run
from gptwright.reporting.option_differences import option_differences
from gptwright.reporting.overlays import overlays
from gptwright.reporting.page import environment, facts, headline
from gptwright.reporting.same_prompts import same_prompts
from gptwright.reporting.siblings import model_of
from gptwright.reporting.side_by_side import (
    all_hashes,
    ancestry,
    at_a_glance,
    costs,
    equality,
    names_of,
    results,
    verdict,
)
from gptwright.reporting.story import state
from gptwright.reporting.wording import MISSING, plural

TONES = get_args(Tone)
FEW = 3  # names that a headline can hold
SHOWN = ("time", "held out, bits/byte", "right answers", "wins over sft")
"""the facts of a run that stand in the list of runs"""


@dataclass(frozen=True)
class Listed:
    """A run in the list: its name, the way to its report, and what is to be seen of it without opening that."""

    name: str
    link: str
    note: str
    made: str
    state: str
    health: str
    figures: list[tuple[str, str]]


def comparison_page(runs: Sequence[Run], reports: Mapping[Path, Path], page: Path) -> str:
    """Runs side by side, as a page that lies at `page` and links the reports, by run folder. Every text is escaped."""
    names, findings = names_of(runs), [check(run) for run in runs]
    return environment().get_template("comparison.html.j2").render(
        names=names,
        headline=", ".join(names) if len(names) <= FEW else plural(len(names), "run"),
        heads=[_head(n, name, reports.get(runs[n].path), page) for n, name in enumerate(names)],
        version=__version__,
        equality=equality(names, runs),
        verdict=verdict(names, runs),
        glance=at_a_glance(runs, findings),
        options=option_differences(runs),
        figures=overlays(names, runs),
        tables=results(names, runs),
        prompts=same_prompts(runs),
        ancestry=ancestry(names, runs),
        hashes=all_hashes(names, runs),
        costs=costs(runs),
    )  # fmt: skip


def index_page(
    folder: Path,
    runs: Sequence[tuple[Run, Sequence[Finding]]],
    refused: Mapping[str, str],
    reports: Mapping[Path, Path],
    page: Path,
) -> str:
    """The runs of a folder, the newest first, each with a link to its report, as a page that lies at `page`.

    `refused` says of others why they cannot be read.
    """
    newest = sorted(runs, key=lambda each: _begun(each[0]), reverse=True)
    listed = [
        _listed(run, findings, own=run.path.resolve() == folder.resolve(), link=_link(reports[run.path], page.parent))
        for run, findings in newest
    ]
    two = " ".join(shlex.quote(str(run.path)) for run, _ in newest[:2])
    return environment().get_template("index.html.j2").render(
        name=folder.resolve().name,
        headline=plural(len(listed), "run"),
        version=__version__,
        shown=SHOWN,
        runs=listed,
        refused=refused,
        command=f"gptwright report {two}" if len(listed) > 1 else "",
    )  # fmt: skip


def _begun(run: Run) -> str:
    return max(stage.started for stage in run.stages)


def _listed(run: Run, findings: Sequence[Finding], *, own: bool, link: str) -> Listed:
    known, name = dict(facts(run)), run.path.resolve().name
    return Listed(
        name=f"{name}, its own stages" if own else name,
        link=link,
        note=" · ".join((model_of(run), _begun(run)[:16].replace("T", " "))),
        made=headline(run),
        state=state(run),
        health=tally(findings),
        figures=[(name, known.get(name, MISSING)) for name in SHOWN],
    )


def _head(place: int, name: str, report: Path | None, page: Path) -> Markup:
    """The run's name in the colour of its curves, as a link where it has a report."""
    shown = Markup('<a href="{}">{}</a>').format(_link(report, page.parent), name) if report else escape(name)
    return Markup('<span class="tone-{} swatch"></span>{}').format(TONES[place % len(TONES)], shown)


def _link(target: Path, folder: Path) -> str:
    """The way from a page in the folder, whatever characters the names have."""
    return quote(Path(os.path.relpath(target.resolve(), folder.resolve())).as_posix())
