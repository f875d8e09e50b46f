"""How far people who judged the same agree: Krippendorff's α of ratings and choices, Kendall's τ-b of rankings."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import combinations, permutations, product
from math import sqrt
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from gptwright.store.labels import labels
from gptwright.store.task_labels import is_decision

Distance = Callable[[int, int], float]
"""of two values, given as places in their order"""


class Agreed(NamedTuple):
    """`value`: α or τ, None where nobody can be compared; of so many things, with so many labels."""

    value: float | None
    things: int
    labels: int


def alpha(units: Iterable[Sequence[Any]], *, ordinal: bool) -> float | None:
    """Krippendorff's α (Computing Krippendorff's Alpha-Reliability, 2011): 1 where all values of a unit are equal, 0
    as by chance. `ordinal`: values have an order, and are the farther apart the more labels lie between them.

    None where no unit has two values, or all values are one.
    """
    paired = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in paired for value in unit})
    pairs = _coincidences(paired, values)
    totals = [sum(row) for row in pairs]
    far = _ordinal(totals) if ordinal else _nominal
    every = list(product(range(len(values)), repeat=2))
    seen = sum(pairs[one][other] * far(one, other) for one, other in every)
    by_chance = sum(totals[one] * totals[other] * far(one, other) for one, other in every)
    return 1 - (sum(totals) - 1) * seen / by_chance if by_chance else None


def _coincidences(units: Sequence[Sequence[Any]], values: Sequence[Any]) -> list[list[float]]:
    """How often a value stands beside another in a unit; each unit counts as much as it has values."""
    pairs = [[0.0] * len(values) for _ in values]
    places = {value: place for place, value in enumerate(values)}
    for unit in units:
        for one, other in permutations(unit, 2):
            pairs[places[one]][places[other]] += 1 / (len(unit) - 1)
    return pairs


def _nominal(one: int, other: int) -> float:
    return float(one != other)


def _ordinal(totals: Sequence[float]) -> Distance:
    """The labels from one value to the other, half of those of both ends."""

    def far(one: int, other: int) -> float:
        low, high = min(one, other), max(one, other)
        return (sum(totals[low : high + 1]) - (totals[low] + totals[high]) / 2) ** 2

    return far


def kendall(one: Sequence[int], other: Sequence[int]) -> float | None:
    """Kendall's τ-b of two rankings of the same answers: 1 alike, -1 reversed. None where one ties them all."""
    pairs = list(combinations(range(len(one)), 2))
    signs = [[(ranks[i] > ranks[j]) - (ranks[i] < ranks[j]) for i, j in pairs] for ranks in (one, other)]
    untied = [sum(sign != 0 for sign in each) for each in signs]
    alike = sum(a * b for a, b in zip(*signs, strict=True))
    return alike / sqrt(untied[0] * untied[1]) if all(untied) else None


def agreement(session: Session) -> dict[str, Agreed]:
    """Of every kind of label that several people gave of the same."""
    found = {
        kind: _alpha_of(session, kind, ordinal=kind != "thumb")
        for kind in ("thumb", "rating", "preference")
    }  # fmt: skip
    return found | {"ranking": _tau(session)}


def agreement_of_each(session: Session) -> dict[str, dict[str, Agreed]]:
    """By labeller and kind: how far their labels agree with those of each other who judged the same."""
    found: dict[str, dict[str, Agreed]] = defaultdict(dict)
    for kind in ("thumb", "rating", "preference", "ranking"):
        said = _rankings(session) if kind == "ranking" else _values(session, kind)
        for name in sorted({author for by in said.values() for author in by}):
            pairs = [[by[name], by[other]] for by in said.values() if name in by for other in by if other != name]
            value = _mean_tau(pairs) if kind == "ranking" else alpha(pairs, ordinal=kind != "thumb")
            found[name][kind] = Agreed(value, len(pairs), 2 * len(pairs))
    return dict(found)


Judged = dict[Hashable, dict[str, Any]]
"""by what was judged and by whom, the value"""


def _values(session: Session, kind: str) -> Judged:
    said: Judged = defaultdict(dict)
    for label in labels(session, kind):
        thing, value = _judged(label.message_id, label.value)
        if not is_decision(label):
            said[thing][label.author] = value
    return said


def _alpha_of(session: Session, kind: str, *, ordinal: bool) -> Agreed:
    units = [list(by.values()) for by in _values(session, kind).values() if len(by) > 1]
    return Agreed(alpha(units, ordinal=ordinal), len(units), sum(map(len, units)))


def _judged(message_id: str, value: Any) -> tuple[Hashable, Any]:
    """What was judged, and as what. A preference counts from the answer whose id comes first."""
    if not isinstance(value, dict):
        return message_id, value
    answers: list[str] = value["answers"]  # pyright: ignore[reportUnknownVariableType]
    strength: int = value["strength"]  # pyright: ignore[reportUnknownVariableType]
    return (message_id, *sorted(answers)), strength if answers[0] < answers[1] else -strength


def _rankings(session: Session) -> Judged:
    said: Judged = defaultdict(dict)
    for label in labels(session, "ranking"):
        value: Any = label.value
        ranks: Mapping[str, int] = dict(zip(value["answers"], value["ranks"], strict=True))
        if not is_decision(label):
            said[label.message_id, *sorted(ranks)][label.author] = [ranks[id] for id in sorted(ranks)]
    return said


def _tau(session: Session) -> Agreed:
    """The mean over every two people and what both ranked."""
    several = [list(by.values()) for by in _rankings(session).values() if len(by) > 1]
    pairs = [pair for rankings in several for pair in combinations(rankings, 2)]
    return Agreed(_mean_tau(pairs), len(several), sum(map(len, several)))


def _mean_tau(pairs: Iterable[Sequence[Sequence[int]]]) -> float | None:
    known = [tau for one, other in pairs if (tau := kendall(one, other)) is not None]
    return sum(known) / len(known) if known else None
