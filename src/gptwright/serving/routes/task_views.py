"""A task as a labeller sees it: answers in an order of the labeller's own, and never who wrote what."""

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.serving.api_errors import APIError
from gptwright.serving.routes.views import View, content_view
from gptwright.store.messages import digest, history, text_of
from gptwright.store.tables import Place, Task
from gptwright.store.task_labels import answers_of


def found_task(session: Session, id: str) -> Task:
    """Raises `APIError` (404) when there is none."""
    task = session.scalar(select(Task).where(Task.id == id))
    if task is None:
        raise APIError(404, "There is no such task.", code="not_found")
    return task


def task_view(session: Session, task: Task, labeller: str) -> View:
    """One that the labeller holds."""
    until = session.scalars(select(Place.until).where(Place.task_id == task.id, Place.labeller == labeller)).one()
    return {
        **task_content(session, task, labeller),
        "guidelines": task.fields.get("guidelines", ""),
        "training": task.fields.get("training", False),
        "seconds_left": max(0.0, round(until - time.time(), 3)),
    }


def task_content(session: Session, task: Task, reader: str) -> View:
    """What a task is about."""
    answers = [] if task.kind == "demonstration" else answers_of(session, task)
    answers.sort(key=lambda answer: digest(task.id, reader, answer.id))
    return {
        "id": task.id,
        "kind": task.kind,
        "message_id": task.message_id,
        "messages": [{"id": one.id, "role": one.role} | content_view(one.content)
                     for one in history(session, task.message_id)],
        "answers": [{"id": one.id, "content": text_of(one.content)} for one in answers],
    }  # fmt: skip
