"""How fast people label."""

from collections import defaultdict
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gptwright.store.tables import Annotation

PAUSE = 600.0  # seconds


class Speed(NamedTuple):
    """`seconds` from one task to the next, their median; tasks `per_hour` of work. None before the second task."""

    seconds: float | None
    per_hour: float | None


def speeds(session: Session) -> dict[str, Speed]:
    """Of every labeller, from when they first said something of each task. Longer than `PAUSE` is no work."""
    first = func.min(Annotation.created)
    rows = select(Annotation.author, first).where(Annotation.task_id.is_not(None))
    times: dict[str, list[float]] = defaultdict(list)
    for author, time in session.execute(rows.group_by(Annotation.author, Annotation.task_id).order_by(first)).tuples():
        times[author].append(time)
    return {name: _speed([b - a for a, b in pairwise(each) if b - a <= PAUSE]) for name, each in times.items()}


def _speed(gaps: list[float]) -> Speed:
    if not gaps:
        return Speed(None, None)
    return Speed(median(gaps), 3600 * len(gaps) / sum(gaps) if sum(gaps) else None)
