"""Where labellers differ, an owner decides; what was decided stands before what they said."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.store.labels import labels
from gptwright.store.tables import Annotation, Task
from gptwright.store.task_labels import Said, decision_id, is_decision, say_of_task

DECIDED = ("ranking", "preference", "rating", "flags", "thumb")
"""kinds of which one is right; texts that people write differ"""


class Differing(NamedTuple):
    """A task, and what each labeller said of it."""

    task: Task
    labels: list[Annotation]


def differing(session: Session, most: int) -> list[Differing]:
    """Up to `most` tasks of which labellers say different things and nothing is decided, the oldest first."""
    said: dict[str, list[Annotation]] = defaultdict(list)
    for label in labels(session, *DECIDED):
        said[label.task_id or ""].append(label)
    found: list[Differing] = []
    for task in session.scalars(select(Task).where(Task.kind.in_(DECIDED)).order_by(Task.number)):
        own = [label for label in said.get(task.id, ()) if label.kind == task.kind]
        decided = any(is_decision(label) for label in own)
        if len(found) < most and not decided and any(_value(label) != _value(own[0]) for label in own):
            found.append(Differing(task, own))
    return found


def _value(label: Annotation) -> object:
    return sorted(label.value) if label.kind == "flags" and label.value is not None else label.value


def decide(session: Session, task: Task, said: Sequence[Said], owner: str) -> list[Annotation]:
    """The decision, which may be decided anew. Raises as `submit_labels` does."""
    return say_of_task(session, task, said, owner, decision_id)
