"""What an evaluation finds: numbers, shares with their intervals, and samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


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
    """shares that were counted, such as exact answers by kind of question"""
    samples: Sequence[str] = ()
    """texts that show what the model does"""
