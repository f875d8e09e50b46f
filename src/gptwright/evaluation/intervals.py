"""Shares and means with 95 % intervals.

What belongs to one prompt, such as the pairs of a ranking, is right or wrong together: many such things say less than
as many independent ones. Their spread is therefore taken over prompts.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from math import sqrt

from gptwright.training.evaluation import Estimate

Z = 1.959964


def share(hits: float, count: int) -> Estimate:
    """A share of independent things by Wilson's interval, which is right near 0 and 1 too."""
    return _wilson(hits / count, count, count) if count else Estimate(0.0, 0.0, 1.0, 0)


def share_by_group(found: Iterable[tuple[Hashable, float, int]]) -> Estimate:
    """A share of things that come in groups, from (group, hits, things); a group may come several times.

    Wilson's interval for as many independent things as would vary as much (Kish 1965), by Student's t for few groups.
    The variation is what drawing whole groups anew gives (the bootstrap by groups), by its formula.
    """
    hits: dict[Hashable, float] = defaultdict(float)
    counts: dict[Hashable, int] = defaultdict(int)
    for group, right, things in found:
        if things:
            hits[group] += right
            counts[group] += things
    groups, count = len(counts), sum(counts.values())
    if not count or count == groups:
        return share(sum(hits.values()), count)
    p = sum(hits.values()) / count
    if groups == 1:
        return _wilson(p, 1, count)
    spread = sum((hits[group] - p * counts[group]) ** 2 for group in counts) * groups / (groups - 1) / count**2
    worth = p * (1 - p) / spread if spread else groups if p in (0, 1) else count
    return _wilson(p, min(worth, count) * (Z / student(groups - 1)) ** 2, count)


def _wilson(p: float, worth: float, count: int) -> Estimate:
    """For a share of `count` things that are worth so many independent ones."""
    zz = Z * Z
    centre = (p + zz / (2 * worth)) / (1 + zz / worth)
    reach = Z * sqrt(p * (1 - p) / worth + zz / (4 * worth * worth)) / (1 + zz / worth)
    # at the ends the two cancel, but for their last bits
    return Estimate(p, max(0.0, centre - reach) if p else 0.0, min(1.0, centre + reach) if p < 1 else 1.0, count)


def student(freedom: int) -> float:
    """What takes the place of Z in Student's t, by its expansion (Abramowitz and Stegun 26.7.5); 1 % off at 3."""
    terms = ((Z**3 + Z) / 4, (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96, (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384)
    return Z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def mean(values: Sequence[float]) -> Estimate:
    """A mean of independent values by Student's interval."""
    return ratio(values, [1.0] * len(values))


def mean_by_group(values: Sequence[float], groups: Sequence[Hashable]) -> Estimate:
    """A mean of values that come in groups, such as those of one prompt, by Student's interval over the groups."""
    sums: dict[Hashable, float] = defaultdict(float)
    counts: dict[Hashable, float] = defaultdict(float)
    for value, group in zip(values, groups, strict=True):
        sums[group] += value
        counts[group] += 1
    return ratio(list(sums.values()), list(counts.values()))


def ratio(values: Sequence[float], weights: Sequence[float]) -> Estimate:
    """The sum of the values over the sum of their weights, such as nats over bytes of documents, by Student's interval
    of the ratio's linear form (Cochran 1977, §6.4)."""
    count, whole = len(values), sum(weights)
    middle = sum(values) / whole
    spread = sqrt(sum((v - middle * w) ** 2 for v, w in zip(values, weights, strict=True)) / max(count - 1, 1))
    reach = student(max(count - 1, 1)) * spread * sqrt(count) / whole
    return Estimate(middle, middle - reach, middle + reach, count)
