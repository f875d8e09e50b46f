"""Jobs: work that outlives the request that asked for it; taken once, followed, cancelled."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from gptwright.store.tables import Job, new_id

OPEN = ("waiting", "running")


def add_job(session: Session, kind: str, asked: Mapping[str, Any], *, owner: str = "") -> Job:
    """A job that waits for someone to take it."""
    job = Job(id=new_id(), kind=kind, asked=dict(asked), owner=owner)
    session.add(job)
    session.flush()
    return job


def take_job(session: Session, kinds: Sequence[str]) -> Job | None:
    """The oldest that waits, running from now on; None when there is none."""
    waiting = select(Job).where(Job.state == "waiting", Job.kind.in_(kinds)).order_by(Job.number).limit(1)
    job = session.scalar(waiting.with_for_update(skip_locked=True))
    if job:
        job.state, job.changed = "running", time.time()
    return job


def report_job(session: Session, id: str, progress: Mapping[str, Any]) -> bool:
    """Notes how far it is. False when it is to stop: it was cancelled."""
    return _set(session, id, ("running",), progress=dict(progress))


def end_job(session: Session, id: str, state: str, result: Mapping[str, Any]) -> bool:
    """Ends it as "done" or "failed". False when it was cancelled before."""
    return _set(session, id, ("running",), state=state, result=dict(result))


def cancel_job(session: Session, id: str) -> bool:
    """Ends it before it has begun, or tells who runs it to stop. False when it had ended."""
    return _set(session, id, OPEN, state="cancelled")


def _set(session: Session, id: str, states: Sequence[str], **values: object) -> bool:
    changed = session.execute(
        update(Job).where(Job.id == id, Job.state.in_(states)).values(**values, changed=time.time())
    )
    assert isinstance(changed, CursorResult)
    return changed.rowcount == 1
