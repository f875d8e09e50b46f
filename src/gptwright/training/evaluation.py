"""What an evaluation finds: numbers, shares with their intervals, and samples. Stages leave it as evaluation.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

from gptwright.foundations.atomic_io import read_json, write_json
from gptwright.foundations.config import decode, encode
from gptwright.foundations.renamed import rename_evaluations

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Estimate:
    """A figure, the interval that holds the truth in 95 of 100 such measurements, and how many things were measured."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Of one model on held-out data. Names carry their unit: `heldout_nats`, `heldout_bits_per_byte`."""

    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    estimates: Mapping[str, Estimate] = field(default_factory=dict[str, Estimate])
    """shares that were counted, such as right answers by kind of question"""
    samples: Sequence[str] = ()
    """texts that show what the model does"""
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    """how it was measured, such as the rule that judged"""


def write_evaluations(folder: Path, evaluations: Mapping[str, Evaluation]) -> None:
    """Writes what was found of each model, by name, to the evaluation.json of `folder`."""
    write_json(folder / EVALUATION, {name: encode(evaluation) for name, evaluation in evaluations.items()})


def read_evaluations(folder: Path) -> dict[str, Evaluation]:
    """What `write_evaluations` left, metrics that are not finite left out; empty where there is no such file.

    Raises `ArtifactError` when it is not JSON, `ConfigError` naming what is not as it was written.
    """
    path = folder / EVALUATION
    tables = rename_evaluations(read_json(path)) if path.is_file() else {}
    found = {name: decode(Evaluation, table, f"{name} in {path}") for name, table in tables.items()}
    return {name: replace(e, metrics={n: v for n, v in e.metrics.items() if isfinite(v)}) for name, e in found.items()}
