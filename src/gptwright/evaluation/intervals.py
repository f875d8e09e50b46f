"""Shares and means with 95 % intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A figure, the interval that holds the truth in 95 of 100 such measurements, and how many things were measured."""

    value: float
    low: float
    high: float
    count: int


def share(hits: float, count: int) -> Estimate:
    """A share by Wilson's interval, which is right near 0 and 1 too."""
    if count == 0:
        return Estimate(0.0, 0.0, 1.0, 0)
    p, zz = hits / count, Z * Z
    centre = (p + zz / (2 * count)) / (1 + zz / count)
    reach = Z * sqrt(p * (1 - p) / count + zz / (4 * count * count)) / (1 + zz / count)
    return Estimate(p, max(0.0, centre - reach), min(1.0, centre + reach), count)


def mean(values: Sequence[float]) -> Estimate:
    """A mean by the normal interval."""
    count = len(values)
    middle = sum(values) / count
    spread = sqrt(sum((v - middle) ** 2 for v in values) / max(count - 1, 1))
    reach = Z * spread / sqrt(count)
    return Estimate(middle, middle - reach, middle + reach, count)
