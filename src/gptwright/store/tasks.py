"""The queue of those who label: every task goes to as many people as it needs, and to nobody twice.

Who takes a task holds one of its places until the lease ends. A label that comes later is kept all the same; the place
may be another's by then.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, case, distinct, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from gptwright.store.messages import find_message
from gptwright.store.tables import Annotation, Place, Task, new_id

LEASE = 1800.0  # seconds
TRIES = 3  # where a labeller asks twice at once, one of both meets the other's place


def add_task(
    session: Session,
    kind: str,
    message_id: str,
    *,
    overlap: int = 1,
    priority: float = 0.0,
    fields: Mapping[str, Any] | None = None,
) -> Task:
    """A task that `overlap` labellers are to do. Raises `InputError` when there is no such message."""
    find_message(session, message_id)
    task = Task(id=new_id(), kind=kind, message_id=message_id, priority=priority, fields=dict(fields or {}))
    session.add(task)
    session.flush()
    session.add_all(Place(task_id=task.id, standing=-priority, turn=turn) for turn in range(overlap))
    session.flush()
    return task


def take_task(session: Session, labeller: str, *, seconds: float = LEASE, kinds: Sequence[str] = ()) -> Task | None:
    """The task that the labeller holds already, or the next that needs one; None when there is none.

    Those with fewer labels come first among equals. The lease counts from when the transaction ends.
    """
    for _ in range(TRIES):
        place = _held(session, labeller, kinds) or _free(session, labeller, kinds)
        if place is None:
            return None
        try:
            with session.begin_nested():
                place.labeller, place.until = labeller, time.time() + seconds
        except IntegrityError:
            session.expire_all()
            continue
        return session.scalar(select(Task).where(Task.id == place.task_id))
    return None


def take_several(
    session: Session, labeller: str, count: int, *, seconds: float, kinds: Sequence[str] = ()
) -> list[Task]:
    """Up to `count` tasks more, held until the lease ends, such as those that one takes along."""
    found: list[Task] = []
    while len(found) < count and (place := _free(session, labeller, kinds)):
        place.labeller, place.until = labeller, time.time() + seconds
        session.flush()
        found.append(session.scalars(select(Task).where(Task.id == place.task_id)).one())
    return found


def _held(session: Session, labeller: str, kinds: Sequence[str]) -> Place | None:
    asked = select(Place).join(Task, Task.id == Place.task_id)
    asked = asked.where(Place.labeller == labeller, Place.done.is_(False), Place.until > time.time())
    if kinds:
        asked = asked.where(Task.kind.in_(kinds))
    return session.scalar(asked.order_by(Place.number).limit(1).with_for_update(of=Place))


def _free(session: Session, labeller: str, kinds: Sequence[str]) -> Place | None:
    """The first free place of a task at which the labeller has no other one, and of which they have not said anything
    yet, such as why they skip it; the place is locked until the end."""
    own = aliased(Place)
    has_another = exists().where(own.task_id == Place.task_id, own.labeller == labeller, own.number != Place.number)
    has_said = exists().where(Annotation.task_id == Place.task_id, Annotation.author == labeller)
    asked = select(Place).where(Place.done.is_(False), Place.until <= time.time(), ~has_another, ~has_said)
    if kinds:
        asked = asked.where(exists().where(Task.id == Place.task_id, Task.kind.in_(kinds)))
    first = asked.order_by(Place.standing, Place.turn, Place.number).limit(1)
    return session.scalar(first.with_for_update(of=Place, skip_locked=True))


def finish_task(session: Session, task_id: str, labeller: str) -> bool:
    """The labeller has done it. False when the place was given to another meanwhile, or was done before."""
    return _leave(session, task_id, labeller, {"done": True})


def give_back_task(session: Session, task_id: str, labeller: str) -> bool:
    """The labeller does not do it: the place is free again. False when it was not held."""
    return _leave(session, task_id, labeller, {"labeller": None, "until": 0.0})


def renew_task(session: Session, task_id: str, labeller: str, *, seconds: float = LEASE) -> bool:
    """The labeller, who is at it still, holds it for so long from here on, and no shorter than before. False when the
    place is another's, or was done."""
    own = select(Place).where(Place.task_id == task_id, Place.labeller == labeller, Place.done.is_(False))
    place = session.scalar(own.with_for_update())
    if place is None:
        return False
    place.until = max(place.until, time.time() + seconds)
    return True


def reopen_task(session: Session, task_id: str, labeller: str, *, seconds: float = LEASE) -> Place | None:
    """The labeller does it again, after having done or skipped it: at the place that was theirs, or at a free one. None
    when others have all of them."""
    places = select(Place).where(Place.task_id == task_id).order_by(Place.number).with_for_update()
    found = session.scalars(places).all()
    own = [place for place in found if place.labeller == labeller]
    free = [place for place in found if not place.done and place.until <= time.time()]
    for place in (own or free)[:1]:
        place.labeller, place.done, place.until = labeller, False, time.time() + seconds
        return place
    return None


def progress(session: Session) -> dict[str, dict[str, int]]:
    """By kind: how many tasks, how many places they have, how many of those are done and how many held."""
    held = case((Place.done.is_(False) & (Place.until > time.time()), 1), else_=0)
    done = case((Place.done, 1), else_=0)
    counted = select(Task.kind, func.count(distinct(Task.id)), func.count(), func.sum(done), func.sum(held))
    rows = session.execute(counted.join(Place, Place.task_id == Task.id).group_by(Task.kind)).tuples()
    return {kind: dict(zip(("tasks", "places", "done", "held"), counts, strict=True)) for kind, *counts in rows}


def done_by(session: Session) -> dict[str, int]:
    """How many places each labeller has done."""
    counted = select(Place.labeller, func.count()).where(Place.done).group_by(Place.labeller)
    return {str(name): count for name, count in session.execute(counted).tuples()}


def _leave(session: Session, task_id: str, labeller: str, values: Mapping[str, Any]) -> bool:
    held = (Place.task_id == task_id, Place.labeller == labeller, Place.done.is_(False))
    changed = session.execute(update(Place).where(*held).values(**values))
    assert isinstance(changed, CursorResult)
    return changed.rowcount == 1
