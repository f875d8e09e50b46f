"""Reads a run folder: its recipe and plan, and of each stage what was asked, what was measured and what came out.

A stage that is missing or unfinished is no error here; it is part of what there is to tell.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.errors import ArtifactError, found_at
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import RECORD, read_record
from gptwright.reporting.judgements import Wins
from gptwright.reporting.lineage import CONTROL, POLICIES, ancestors, lineage
from gptwright.reporting.samples import Sample, read_samples
from gptwright.reporting.sources import Sources
from gptwright.reporting.values import hashes, number, table
from gptwright.text.jsonl import read_objects
from gptwright.training.evaluation import Estimate, Evaluation, read_evaluations

Points = list[tuple[int, float]]
ASKED = "asked.jsonl"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage's folder. `role` is its verb, or "reward-control" for a reward model of shuffled ranks."""

    path: Path
    role: str
    complete: bool
    seconds: float
    peak_memory_gb: float | None
    version: str
    started: str
    ended: str
    config: dict[str, Any]
    inputs: dict[str, str]
    """hashes of what it read, by field"""
    outputs: dict[str, str]
    """hashes of what it wrote, by file; nothing before it is complete"""
    metrics: dict[str, Any]
    machine: dict[str, Any]
    history: list[dict[str, float | None]]
    evaluations: Mapping[str, Evaluation]
    """what it measured of each model at its end; nothing where it left no evaluation.json"""

    @property
    def name(self) -> str:
        """The folder's name without its number: the recipe's name for the stage."""
        return re.sub(r"^\d+-", "", self.path.name)

    @property
    def steps(self) -> int | None:
        """Steps (for ppo, updates) that were asked for."""
        found = number(self.config.get("steps", self.config.get("updates")))
        return None if found is None else int(found)

    @property
    def steps_done(self) -> int:
        """The last step that was measured."""
        return max((int(number(line.get("step")) or 0) for line in self.history), default=0)

    def metric(self, name: str) -> float | None:
        """A final metric that is a number."""
        return number(self.metrics.get(name))

    def estimate(self, model: str, name: str) -> Estimate | None:
        """A share with its interval that was measured of a model."""
        found = self.evaluations.get(model)
        return found.estimates.get(name) if found else None

    def curve(self, name: str) -> Points:
        """(step, value) of a measurement, finite ones only."""
        pairs = ((number(line.get("step")), number(line.get(name))) for line in self.history)
        return [(int(step), value) for step, value in pairs if step is not None and value is not None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder. `expected` are the recipe's stage names in order, `planned` the seconds meant for each; `minutes`
    is what was asked for, and `begun_after` the seconds of them that were gone before the first stage."""

    path: Path
    stages: list[Stage]
    lineage: list[Stage]
    """of them, those that the folder's last model descends from, it included: all figures are theirs"""
    expected: list[str] = field(default_factory=list[str])
    planned: dict[str, float] = field(default_factory=dict[str, float])
    minutes: float | None = None
    begun_after: float = 0.0
    peak_memory_gb: float | None = None
    """the most memory held, in GiB, if it was recorded"""
    sources: Sources | None = None
    samples: list[Sample] = field(default_factory=list[Sample])
    asked: Sequence[Mapping[str, Any]] = ()
    """{"stage", "question", "answer"}: the same question after several stages"""
    judgements: Wins | None = None
    """how people judged the policy's answers, where they did"""

    def stage(self, role: str) -> Stage | None:
        """The stage of that role that the model descends from; of several, the one whose folder comes last."""
        return next((stage for stage in reversed(self.lineage) if stage.role == role), None)

    @property
    def policy(self) -> Stage | None:
        """The stage that improved the policy, whichever of the ways it took."""
        return next((found for role in POLICIES if (found := self.stage(role))), None)

    def improvement(self) -> "tuple[Evaluation, Evaluation, Evaluation] | None":
        """What was measured of the policy before, of it after, and of both beside each other."""
        found = self.policy.evaluations if self.policy else {}
        names = ("sft", self.policy.role if self.policy else "", "comparison")
        return (found[names[0]], found[names[1]], found[names[2]]) if {*names} <= found.keys() else None

    @property
    def missing(self) -> list[str]:
        """Stages of the recipe that have no folder yet."""
        there = {stage.name for stage in self.stages}
        return [name for name in self.expected if name not in there]

    @property
    def seconds(self) -> float:
        """Time that the model's stages took."""
        return sum(stage.seconds for stage in self.lineage)

    def evaluations(self, role: str) -> Mapping[str, Evaluation]:
        """What the stage of that role measured, by model."""
        stage = self.stage(role)
        return stage.evaluations if stage else {}

    def estimate(self, role: str, model: str, name: str) -> Estimate | None:
        """A share that the stage of that role measured of a model."""
        stage = self.stage(role)
        return stage.estimate(model, name) if stage else None

    def wins(self) -> Wins | None:
        """How often the policy's answers were preferred: by people where they judged, else by its stage's judge."""
        comparison = self.policy.evaluations.get("comparison") if self.policy else None
        return self.judgements or (Wins.of(comparison) if comparison else None)


def collect(path: Path, head: str = "") -> Run:
    """Reads the run folder at `path`, of its last model or of that of the stage folder called `head`.

    Raises `ArtifactError` when it is none, or when one of its files is damaged.
    """
    if not path.is_dir():
        raise ArtifactError(f"a run folder at {path}", found_at(path), "Correct the path.")
    if (path / RECORD).is_file():
        raise ArtifactError(f"a run folder, which holds stages, at {path}", "the folder of one stage",
                            f"Give {path.resolve().parent}.")  # fmt: skip
    stages = [_stage(record.parent) for record in sorted(path.glob(f"*/{RECORD}"))]
    if not stages:
        raise ArtifactError(f"a run folder, which holds stages, at {path}", "no stage.json in its folders",
                            "Give the folder that `start` or `run` made.")  # fmt: skip
    recipe = _recipe(path / "recipe.toml")
    plan = table(recipe.pop("plan", {}))
    seconds = table(plan.get("seconds", plan))
    heads = [stage for stage in stages if stage.path.name == head]
    family = ancestors(heads[0], stages) if heads else lineage(stages)
    expected = [name for name, value in recipe.items() if isinstance(value, dict)]
    return Run(
        path=path,
        stages=stages,
        lineage=family,
        expected=expected,
        planned={name: planned for name in expected if (planned := number(seconds.get(name))) is not None},
        minutes=number(plan.get("minutes")),
        begun_after=number(seconds.get("start")) or 0.0,
        peak_memory_gb=_peak_memory(family),
        sources=_sources(family),
        samples=_samples(family),
        asked=read_objects(path / ASKED) if (path / ASKED).is_file() else (),
    )


def runs_in(path: Path) -> list[Path]:
    """The run folders right inside of the folder `path`, and itself where it holds stages beside them; nothing where
    no run lies inside."""
    folders = [each for each in sorted(path.iterdir()) if each.is_dir()] if path.is_dir() else []
    inside = [each for each in folders if not (each / RECORD).is_file() and any(each.glob(f"*/{RECORD}"))]
    itself = [path] if inside and any(path.glob(f"*/{RECORD}")) else []
    return inside + itself


def collect_stage(path: Path) -> Run:
    """Reads the stage at `path` and those that its options name, as a run that descends to it."""
    found = [_stage(path)]
    for stage in found:
        named = [Path(value) for value in stage.config.values() if isinstance(value, str) and value]
        known = {other.path.resolve() for other in found}
        found += [_stage(p) for p in named if (p / RECORD).is_file() and p.resolve() not in known]
    return Run(path=path, stages=found[::-1], lineage=found[::-1])


def _stage(path: Path) -> Stage:
    record = read_record(path)
    config, metrics = table(record.get("config")), table(record.get("metrics"))
    verb = str(record.get("verb", ""))
    return Stage(
        path=path,
        role=CONTROL if verb == "reward" and config.get("shuffled") is True else verb,
        complete=record.get("state") == "complete",
        seconds=number(record.get("seconds")) or 0.0,
        peak_memory_gb=number(record.get("peak_memory_gb")),
        version=str(record.get("version", "")),
        started=str(record.get("started", "")),
        ended=str(record.get("ended", "")),
        config=config | table(record.get("found")),
        inputs=hashes(record.get("inputs")),
        outputs=hashes(record.get("outputs")),
        metrics=metrics,
        machine=table(record.get("machine")),
        history=read_metrics(path / "metrics.jsonl"),
        evaluations=read_evaluations(path),
    )


def _recipe(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"TOML in {path}", str(error), "Correct that line, or restore the file.") from error


def _peak_memory(stages: list[Stage]) -> float | None:
    return max((stage.peak_memory_gb for stage in stages if stage.peak_memory_gb is not None), default=None)


def _sources(stages: list[Stage]) -> Sources | None:
    files = [file for stage in stages if stage.role == "prepare" and (file := stage.path / "sources.json").is_file()]
    return Sources.of(read_json(files[-1])) if files else None


def _samples(stages: list[Stage]) -> list[Sample]:
    files = [file for stage in stages if stage.role == "pretrain" and (file := stage.path / "samples.md").is_file()]
    return read_samples(files[-1].read_text(encoding="utf-8", errors="replace")) if files else []
