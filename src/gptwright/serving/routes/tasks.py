"""The queue of those who label: the next task, its labels, why it is skipped, and all of it taken back.

A labeller sees the conversation up to what is judged and the answers in an order of their own, and never who wrote
them.
"""

import time
from typing import Any, Literal, Self

from fastapi import FastAPI
from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import OWNER, Caller, caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import RequestFields, refuse
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.labels import say_label
from gptwright.serving.routes.views import View, content_view, label_view
from gptwright.serving.transactions import Transactions
from gptwright.store.agreement import agreement
from gptwright.store.labels import annotate, labels, withdraw
from gptwright.store.messages import add_message, digest, find_message, history, text_of
from gptwright.store.tables import Conversation, Message, Place, Task
from gptwright.store.tasks import (
    LEASE,
    add_task,
    done_by,
    finish_task,
    give_back_task,
    progress,
    reopen_task,
    take_task,
)

Kind = Literal["ranking", "preference", "rating", "flags", "thumb", "edit", "demonstration"]
BEHIND = ("ranking", "preference", "demonstration")
"""kinds that are about what follows a message; the others are about the message"""
MOST_TASKS = 2000
"""that are added at once"""
WRITTEN = {"edit", "demonstration"}
"""kinds for which the labeller writes a text"""


class NewTask(RequestFields):
    """A task. `message_id`: the answer that is judged, or the message whose answers are ranked or written."""

    kind: Kind
    message_id: str = Field(max_length=64)
    overlap: int = Field(1, ge=1, le=100)
    priority: float = 0.0
    guidelines: str = Field("", max_length=10_000)


class NewTasks(RequestFields):
    """POST /api/tasks: all of them, or none."""

    tasks: list[NewTask] = Field(min_length=1, max_length=MOST_TASKS)


class NextTask(RequestFields):
    """POST /api/tasks/next."""

    kinds: list[Kind] = Field([], max_length=10)
    seconds: float = Field(LEASE, ge=1, le=86_400)


class TaskLabel(RequestFields):
    """A label of a task: a value, or the text of an edit or a demonstration."""

    kind: Kind | Literal["reason", "comment"]
    message_id: str = Field(max_length=64)
    value: Any = None
    text: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _text_where_one_is_written(self) -> Self:
        if (self.kind in WRITTEN) != (self.text is not None) or (self.text is None) == (self.value is None):
            refuse("text", "an edit or a demonstration has a text, and any other label a value")
        return self


class Submission(RequestFields):
    """POST /api/tasks/ID/submit. Sent again it changes nothing; with other labels it replaces those before."""

    labels: list[TaskLabel] = Field(min_length=1, max_length=200)


class Skip(RequestFields):
    """POST /api/tasks/ID/skip. `unsure`: it was looked at, and could not be decided."""

    reason: str = Field(min_length=1, max_length=2000)
    unsure: bool = False


class Tasks:
    """The routes of `/api/tasks`."""

    def __init__(self, store: Transactions) -> None:
        self.store = store

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/tasks", self.add, methods=["POST"])
        app.add_api_route("/api/tasks/next", self.next, methods=["POST"])
        app.add_api_route("/api/tasks/progress", self.progress, methods=["GET"])
        app.add_api_route("/api/tasks/agreement", self.agreement, methods=["GET"])
        for name, endpoint in (("submit", self.submit), ("skip", self.skip), ("undo", self.undo)):
            app.add_api_route(f"/api/tasks/{{id}}/{name}", endpoint, methods=["POST"])

    async def add(self, request: Request) -> Response:
        """Tasks on messages of the caller's own conversations, and of imported ones."""
        asked, caller = NewTasks.read(await read_json(request)), caller_of(request)

        def added(session: Session) -> list[str]:
            _check_messages(session, {task.message_id for task in asked.tasks}, caller)
            return [
                add_task(session, task.kind, task.message_id, overlap=task.overlap, priority=task.priority,
                         fields={"guidelines": task.guidelines}).id
                for task in asked.tasks
            ]  # fmt: skip

        return JSONResponse({"ids": await self.store.write(added, param="tasks")}, 201)

    async def next(self, request: Request) -> Response:
        """The task that the caller holds, or the next one, held from now on; null when there is none."""
        asked, labeller = NextTask.read(await read_json(request)), caller_of(request).name

        def taken(session: Session) -> View | None:
            task = take_task(session, labeller, seconds=asked.seconds, kinds=asked.kinds)
            return _view(session, task, labeller) if task else None

        return JSONResponse({"task": await self.store.write(taken)})

    async def submit(self, request: Request, id: str) -> Response:
        """The labels of a task, all or none. `in_time`: the place was the caller's still."""
        asked, labeller = Submission.read(await read_json(request)), caller_of(request).name

        def submitted(session: Session) -> View:
            task = _find(session, id)
            if task.kind not in {label.kind for label in asked.labels}:
                raise APIError(400, f"'labels': one must be a {task.kind}.", param="labels", code="invalid_value")
            known = _messages_of(session, task)
            said = [_say(session, task, label, labeller, known) for label in asked.labels]
            _withdraw_others(session, id, labeller, {(label["kind"], label["id"]) for label in said})
            return {"labels": said, "in_time": finish_task(session, id, labeller) or _is_done(session, id, labeller)}

        return JSONResponse(await self.store.write(submitted, param="labels"))

    async def skip(self, request: Request, id: str) -> Response:
        """The caller does not do it, and says why: it is another's, and does not come back."""
        asked, labeller = Skip.read(await read_json(request)), caller_of(request).name

        def skipped(session: Session) -> View:
            task = _find(session, id)
            kind = "unsure" if asked.unsure else "skip"
            annotate(session, kind, task.message_id, asked.reason, id=_label_id(id, task.message_id), author=labeller,
                     task_id=id)  # fmt: skip
            return {"given_back": give_back_task(session, id, labeller)}

        return JSONResponse(await self.store.write(skipped, param="reason"))

    async def undo(self, request: Request, id: str) -> Response:
        """Takes back all that the caller said of a task, and gives it to them again where it is not another's."""
        labeller = caller_of(request).name

        def undone(session: Session) -> View:
            task = _find(session, id)
            withdrawn = _withdraw_others(session, id, labeller, set())
            held = reopen_task(session, id, labeller) if withdrawn else None
            return {"withdrawn": withdrawn, "task": _view(session, task, labeller) if held else None}

        return JSONResponse(await self.store.write(undone))

    async def progress(self, request: Request) -> Response:
        """How much is done; how much each has done an owner sees, others their own."""
        caller = caller_of(request)

        def counted(session: Session) -> View:
            by = done_by(session)
            own = {caller.name: by.get(caller.name, 0)}
            return {"kinds": progress(session), "done_by": by if caller.may(OWNER) else own}

        return JSONResponse(await self.store.read(counted))

    async def agreement(self, request: Request) -> Response:
        """How far people agree, by kind."""
        found = await self.store.read(agreement)
        return JSONResponse({kind: agreed._asdict() for kind, agreed in found.items()})


def _find(session: Session, id: str) -> Task:
    task = session.scalar(select(Task).where(Task.id == id))
    if task is None:
        raise APIError(404, "There is no such task.", code="not_found")
    return task


def _check_messages(session: Session, ids: set[str], caller: Caller) -> None:
    """Raises `APIError` (404) unless all are of conversations of the caller's, or of nobody's."""
    seen = select(Message.id).join(Conversation, Conversation.id == Message.conversation_id)
    seen = seen.where(Conversation.owner.in_((caller.name, "")), Conversation.deleted.is_(None), Message.id.in_(ids))
    if ids - set(session.scalars(seen)):
        raise APIError(404, "You have no such message.", param="tasks", code="not_found")


def _behind(session: Session, task: Task) -> list[Message]:
    """The answers that are judged together; none of a task that is about one message."""
    if task.kind not in BEHIND:
        return []
    answers = select(Message).where(Message.parent_id == task.message_id, Message.role == "assistant")
    return [*session.scalars(answers.order_by(Message.number))]


def _messages_of(session: Session, task: Task) -> set[str]:
    return {task.message_id, *(answer.id for answer in _behind(session, task))}


def _view(session: Session, task: Task, labeller: str) -> View:
    answers = [] if task.kind == "demonstration" else _behind(session, task)
    answers.sort(key=lambda answer: digest(task.id, labeller, answer.id))
    until = session.scalars(select(Place.until).where(Place.task_id == task.id, Place.labeller == labeller)).one()
    return {
        "id": task.id,
        "kind": task.kind,
        "guidelines": task.fields.get("guidelines", ""),
        "message_id": task.message_id,
        "messages": [{"id": one.id, "role": one.role} | content_view(one.content)
                     for one in history(session, task.message_id)],
        "answers": [{"id": one.id, "content": text_of(one.content)} for one in answers],
        "seconds_left": max(0.0, round(until - time.time(), 3)),
    }  # fmt: skip


def _label_id(task_id: str, message_id: str) -> str:
    return digest("task", task_id, message_id)


def _say(session: Session, task: Task, label: TaskLabel, labeller: str, known: set[str]) -> View:
    if label.message_id not in known:
        raise APIError(400, "'labels': a message that the task is not about.", param="labels", code="invalid_value")
    message_id, value = label.message_id, label.value
    if label.text is not None:
        written = _write(session, task, label, labeller)
        message_id, value = (message_id, written) if label.kind == "edit" else (written, True)
    known_as = {"id": _label_id(task.id, label.message_id), "author": labeller, "task_id": task.id}
    return label_view(say_label(session, label.kind, message_id, value, **known_as))


def _write(session: Session, task: Task, label: TaskLabel, labeller: str) -> str:
    """The id of what the labeller wrote: beside the message that it corrects, or behind what it answers."""
    id = digest("written", task.id, labeller, label.kind, label.message_id, label.text)
    if session.scalar(select(Message.id).where(Message.id == id)) is None:
        about = find_message(session, label.message_id)
        parent = about.parent_id if label.kind == "edit" else about.id
        add_message(session, about.conversation_id, parent, "assistant", str(label.text), author=labeller, id=id)
    return id


def _withdraw_others(session: Session, task_id: str, labeller: str, kept: set[tuple[str, str]]) -> int:
    """How many labels of the task the labeller has no more."""
    found = labels(session, author=labeller, task_id=task_id)
    gone = [label for label in found if (label.kind, label.id) not in kept]
    for label in gone:
        withdraw(session, label.kind, label.id, author=labeller)
    return len(gone)


def _is_done(session: Session, task_id: str, labeller: str) -> bool:
    own = select(Place.done).where(Place.task_id == task_id, Place.labeller == labeller)
    return bool(session.scalar(own))
