"""What is labelled next: first that of which least is known."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from gptwright.store.known_labels import KNOWN, nearness
from gptwright.store.labels import labels
from gptwright.store.tables import Annotation, Place, Task
from gptwright.store.task_labels import answers_of, is_decision


def prioritise(session: Session, rewards: Mapping[str, float]) -> int:
    """Sets the priority, 0 to 1, of tasks that still have a place free; how many those are.

    Of answers with `rewards`, by message id, the tasks whose two best are nearest to each other come first: there the
    reward model is unsure. Of the others, those whose labellers differ most. Training rounds stay before all.
    """
    said: dict[str, list[Annotation]] = defaultdict(list)
    for label in labels(session, *KNOWN):
        if label.task_id and not is_decision(label):
            said[label.task_id].append(label)
    free = exists().where(Place.task_id == Task.id, Place.done.is_(False))
    tasks = [task for task in session.scalars(select(Task).where(free)) if "known" not in task.fields]
    for task in tasks:
        answers = answers_of(session, task) if rewards else []
        found = sorted((rewards[one.id] for one in answers if one.id in rewards), reverse=True)
        of_kind = [label for label in said.get(task.id, ()) if label.kind == task.kind]
        priority = 1 / (1 + found[0] - found[1]) if len(found) > 1 else _difference(task.kind, of_kind)
        if priority != task.priority:
            task.priority = priority
            session.execute(update(Place).where(Place.task_id == task.id).values(standing=-priority))
    return len(tasks)


def _difference(kind: str, found: list[Annotation]) -> float:
    pairs = [1 - nearness(kind, one.value, other.value) for one, other in combinations(found, 2)]
    return sum(pairs) / len(pairs) if pairs else 0.0
