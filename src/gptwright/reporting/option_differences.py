"""What differs in the configuration of several runs, stage by stage: the options that are not the same in all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gptwright.foundations.runs import flatten, identities
from gptwright.reporting.collect import Run, Stage
from gptwright.reporting.tables import Cell, Row
from gptwright.reporting.wording import MISSING, hashed

THERE = "done"
"""of a stage that other runs lack"""


def option_differences(runs: Sequence[Run]) -> list[Row]:
    """A row for each option that two runs have otherwise, and for each stage that one of them lacks. Stages in which
    it is otherwise in the same way share a row.

    Files are compared by their hash, wherever they lie; what an earlier stage of the same run made is no difference.
    """
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for role in roles_of(runs):
        for name, values in _of_role(role, runs):
            found.setdefault((name, values), []).append(role)
    return [Row(name, ", ".join(roles), [Cell(value) for value in values]) for (name, values), roles in found.items()]


def roles_of(runs: Sequence[Run]) -> list[str]:
    """The roles of all stages that the runs' models descend from, in the order of the longest run first."""
    longest_first = sorted(runs, key=lambda run: -len(run.lineage))
    return list(dict.fromkeys(stage.role for run in longest_first for stage in run.lineage))


def _of_role(role: str, runs: Sequence[Run]) -> list[tuple[str, tuple[str, ...]]]:
    """(option, its value in every run)."""
    stages = [run.stage(role) for run in runs]
    rows: list[tuple[str, tuple[str, ...]]] = []
    if not all(stages):
        rows.append(("the stage", tuple(THERE if stage else MISSING for stage in stages)))
    options = [_options(stage, run) if stage else None for stage, run in zip(stages, runs, strict=True)]
    there = [found for found in options if found is not None]
    for name in dict.fromkeys(name for found in there for name in found):
        if len({found.get(name, MISSING) for found in there}) > 1:
            values = tuple(MISSING if found is None else found.get(name, MISSING) for found in options)
            rows.append((name.replace("_", " "), values))
    return rows


def _options(stage: Stage, run: Run) -> dict[str, str]:
    """Every option as it is shown, with the hash of a file that came from outside the run."""
    found = {name: _shown(name, value, stage, run) for name, value in flatten(stage.config).items()}
    made = {digest for other in run.stages for digest in identities(other.outputs)}
    others = {name: hashed(digest) for name, digest in stage.inputs.items()
              if name.split("[")[0] not in stage.config and digest not in made}  # fmt: skip
    return found | others


def _shown(name: str, value: object, stage: Stage, run: Run) -> str:
    if isinstance(value, list | tuple):
        items: Sequence[object] = value
        return ", ".join(_shown(f"{name}[{place}]", item, stage, run) for place, item in enumerate(items)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and value:
        return _file(name, value, stage.inputs, run)
    return "none" if value in (None, "") else str(value)


def _file(name: str, value: str, inputs: Mapping[str, str], run: Run) -> str:
    """A path into the run by the stage that made it, one from outside by its name and hash; other words as they are."""
    parts = Path(value).parts
    for stage in run.stages:
        if stage.path.name in parts:
            return "/".join(("its", stage.name, *parts[parts.index(stage.path.name) + 1 :]))
    return f"{parts[-1]} {hashed(inputs[name])}" if name in inputs else value
