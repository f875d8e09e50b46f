"""Runs beside each other in tables, a column a run: what came out, what it cost, and what it was made from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gptwright.foundations.runs import identity
from gptwright.reporting.checks.answers import FORMS
from gptwright.reporting.checks.finding import Finding, tally
from gptwright.reporting.collect import Run, Stage
from gptwright.reporting.option_differences import roles_of
from gptwright.reporting.page import facts, headline, machine
from gptwright.reporting.siblings import better, model_of, right
from gptwright.reporting.story import MEANING, state, state_of
from gptwright.reporting.tables import KINDS, Cell, Row, Table
from gptwright.reporting.wording import MISSING, duration, hashed, plain

Runs = Sequence[Run]


def names_of(runs: Runs) -> list[str]:
    """Each run by the name of its folder, with as many folders above it as tell it from the others."""
    paths = [run.path.resolve() for run in runs]
    depth = next(d for d in range(1, 1 + max(len(path.parts) for path in paths))
                 if len({path.parts[-d:] for path in paths}) == len({*paths}))  # fmt: skip
    return [str(Path(*path.parts[-depth:])) for path in paths]


def at_a_glance(runs: Runs, findings: Sequence[Sequence[Finding]]) -> list[Row]:
    """What was made, of which sizes, whether it is finished and healthy, and the figures of the report's headline."""
    rows = [
        _row("made", [headline(run) for run in runs]),
        _row("model", [model_of(run) for run in runs]),
        _row("state", [state(run) for run in runs]),
        _row("health", [tally(found) for found in findings]),
        _row("minutes asked for", [f"{run.minutes:g}" if run.minutes else MISSING for run in runs]),
    ]
    figures = [dict(facts(run)) for run in runs]
    names = dict.fromkeys(name for found in figures for name in found)
    rows += [_row(name, [found.get(name, MISSING) for found in figures]) for name in names]
    return [*rows, _row("machine", [machine(run) for run in runs])]


def results(names: Sequence[str], runs: Runs) -> list[Table]:
    """The tables of the report, of each run the column of what came out in the end."""
    return [table for kind in KINDS if (table := _beside(names, [kind(run) for run in runs]))]


def verdict(names: Sequence[str], runs: Runs) -> str:
    """Whether one of them answers better than all others; nothing where fewer than two were asked."""
    answers = [right(run) for run in runs]
    return f"By {FORMS}: {better(names, answers)}." if sum(answer is not None for answer in answers) > 1 else ""


def costs(runs: Runs) -> list[Row]:
    """Seconds of every stage, and of all together, with those that were planned."""
    rows = [Row(role, MEANING.get(role, ""), [_cost(run, run.stage(role)) for run in runs]) for role in roles_of(runs)]
    planned = [sum(run.planned.values()) or None for run in runs]
    return [*rows, Row("together", "", [_time(run.seconds, plan) for run, plan in zip(runs, planned, strict=True)]),
            _row("peak memory", [MISSING if run.peak_memory_gb is None else f"{plain(run.peak_memory_gb, 1)} GiB"
                                 for run in runs])]  # fmt: skip


def ancestry(names: Sequence[str], runs: Runs) -> list[Row]:
    """From data to policy: the hash of what each stage left, and with which run before it shares that."""
    rows = [_files_read(names, runs)]
    for role in roles_of(runs):
        stages = [run.stage(role) for run in runs]
        notes = [f"{stage.path.name}{', ' + said if (said := state_of(stage)) else ''}" if stage else ""
                 for stage in stages]  # fmt: skip
        digests = [_digest(stage) for stage in stages]
        rows.append(Row(role, MEANING.get(role, ""), _hashes(names, digests, notes)))
    return rows


def equality(names: Sequence[str], runs: Runs) -> list[str]:
    """Which runs are equal in every stage, and up to where all of them are."""
    roles = roles_of(runs)
    lines = [tuple(_digest(run.stage(role)) for role in roles) for run in runs]
    counts = Counter(line for line in lines if any(line))
    said = [
        f"{' and '.join(name for name, other in zip(names, lines, strict=True) if other == line)} are equal: "
        "every stage left the same files, by hash."
        for line, count in counts.items()
        if count > 1
    ]
    if len({*lines}) == 1 and said:
        return said
    shared = [role for role, digests in zip(roles, zip(*lines, strict=True), strict=True)
              if len({*digests}) == 1 and digests[0]]  # fmt: skip
    return [*said, f"The same in all of them, by hash: {', '.join(shared)}." if shared
            else "No stage left the same files in all of them."]  # fmt: skip


def all_hashes(names: Sequence[str], runs: Runs) -> list[tuple[str, str, str]]:
    """(run and stage, what is hashed, SHA-256): everything that the stages read and wrote, in full."""
    return [
        (f"{name}/{stage.path.name}", what, digest)
        for name, run in zip(names, runs, strict=True)
        for stage in run.lineage
        for what, digest in [*((f"in: {key}", value) for key, value in stage.inputs.items()), ("out", _digest(stage))]
        if digest
    ]


def _row(name: str, texts: Sequence[str]) -> Row:
    return Row(name, "", [Cell(text or MISSING) for text in texts])


def _beside(names: Sequence[str], tables: Sequence[Table | None]) -> Table | None:
    there = [table for table in tables if table]
    if not there:
        return None
    keyed = [_keyed(table) for table in tables]
    rows: list[Row] = []
    for key in dict.fromkeys(key for found in keyed for key in found):
        notes = dict.fromkeys(found[key].note for found in keyed if key in found)
        cells = [found[key].cells[0] if key in found else Cell(MISSING) for found in keyed]
        rows.append(Row(key[0], " / ".join(notes), cells))
    title = " / ".join(dict.fromkeys(table.title for table in there))
    return replace(there[0], title=title, columns=[*names], rows=rows)


def _keyed(table: Table | None) -> dict[tuple[str, int], Row]:
    """Rows by name, and by how many of that name stand above, each with the cell of what came out alone."""
    rows = table.rows if table else []
    seen = Counter[str]()
    found: dict[tuple[str, int], Row] = {}
    for row in rows:
        found[row.name, seen[row.name]] = replace(row, cells=[row.cells[table.result if table else -1]])
        seen[row.name] += 1
    return found


def _cost(run: Run, stage: Stage | None) -> Cell:
    return _time(stage.seconds, run.planned.get(stage.name)) if stage else Cell(MISSING)


def _time(seconds: float, planned: float | None) -> Cell:
    return Cell(duration(seconds), f"{duration(planned)} planned" if planned else "")


def _files_read(names: Sequence[str], runs: Runs) -> Row:
    """The files that prepare read, as one hash."""
    stages = [run.stage("prepare") for run in runs]
    digests = [identity(stage.inputs) if stage and stage.inputs else "" for stage in stages]
    notes = [", ".join(stage.inputs) if stage else "" for stage in stages]
    return Row("data", "the files that were read", _hashes(names, digests, notes))


def _digest(stage: Stage | None) -> str:
    return identity(stage.outputs) if stage and stage.outputs else ""


def _hashes(names: Sequence[str], digests: Sequence[str], notes: Sequence[str]) -> list[Cell]:
    cells: list[Cell] = []
    for place, (digest, note) in enumerate(zip(digests, notes, strict=True)):
        first = digests.index(digest)
        text = MISSING if not digest else f"as {names[first]}" if first < place else hashed(digest)
        cells.append(Cell(text, note))
    return cells
