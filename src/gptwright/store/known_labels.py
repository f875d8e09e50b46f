"""Tasks whose label is known before: they teach labellers, and measure how near each comes."""

from collections import defaultdict
from itertools import combinations
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.store.labels import labels
from gptwright.store.tables import Task
from gptwright.store.task_labels import is_decision

KNOWN = ("ranking", "preference", "rating", "flags", "thumb")
"""kinds of which a label can be compared"""


class Score(NamedTuple):
    """How near somebody's labels come to the known ones, of 1, and how many those were."""

    value: float
    tasks: int


def nearness(kind: str, said: Any, known: Any) -> float:
    """1 where a label is the known one, 0 where it is as far from it as can be.

    A ranking: the share of pairs that stand alike, of those that both rank; 0 where there is none. Flags: what both
    have of what either has. Ratings and preferences: how much of the scale lies between them; 0 for preferences
    between other answers.
    """
    if kind == "rating":
        return 1 - abs(said - known) / 6
    if kind == "flags":
        return len({*said} & {*known}) / len({*said} | {*known}) if said or known else 1.0
    if kind == "preference":
        if {*said["answers"]} != {*known["answers"]}:
            return 0.0
        strength = said["strength"] * (1 if said["answers"] == known["answers"] else -1)
        return 1 - abs(strength - known["strength"]) / 6
    if kind == "ranking":
        own, right = (dict(zip(value["answers"], value["ranks"], strict=True)) for value in (said, known))
        pairs = list(combinations(own.keys() & right.keys(), 2))
        alike = [_sign(own[a] - own[b]) == _sign(right[a] - right[b]) for a, b in pairs]
        return sum(alike) / len(pairs) if pairs else 0.0
    return float(said == known)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def scores(session: Session) -> dict[str, Score]:
    """Of every labeller who did a task with a known label."""
    known = {task.id: task for task in session.scalars(select(Task)) if "known" in task.fields}
    found: dict[str, list[float]] = defaultdict(list)
    for label in labels(session, *KNOWN):
        task = known.get(label.task_id or "")
        if task and task.kind == label.kind and not is_decision(label):
            found[label.author].append(nearness(task.kind, label.value, task.fields["known"]))
    return {name: Score(sum(each) / len(each), len(each)) for name, each in found.items()}
