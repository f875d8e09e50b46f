"""The owner's side of labelling: what is labelled, how it goes, and what counts where labellers differ."""

from typing import Any

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import Caller, caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import RequestFields
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.task_views import found_task, task_content
from gptwright.serving.routes.tasks import Kind, Submission
from gptwright.serving.routes.views import View, label_view
from gptwright.serving.transactions import Transactions
from gptwright.store.agreement import agreement, agreement_of_each
from gptwright.store.decisions import decide, differing
from gptwright.store.labels import check_label
from gptwright.store.priorities import prioritise
from gptwright.store.tables import Conversation, Message
from gptwright.store.task_making import TRAINING, Wanted, make_tasks, tasks_of_lines
from gptwright.store.tasks import add_task
from gptwright.text.jsonl import Line

MOST_TASKS = 2000
"""that are added at once"""
MOST_DIFFERING = 50
"""that are shown at once"""


class NewTask(RequestFields):
    """A task. `message_id`: the answer that is judged, or the message whose answers are ranked or written. `known`: the
    value of its label, where that is known; `training`: it comes before all others."""

    kind: Kind
    message_id: str = Field(max_length=64)
    overlap: int = Field(1, ge=1, le=100)
    priority: float = 0.0
    guidelines: str = Field("", max_length=10_000)
    known: Any = None
    training: bool = False


class NewTasks(RequestFields):
    """POST /api/tasks: all of them, or none."""

    tasks: list[NewTask] = Field(min_length=1, max_length=MOST_TASKS)


class MadeTasks(RequestFields):
    """POST /api/tasks/make, without `lines` of what is stored. `known`: the lines say the labels."""

    kind: Kind
    overlap: int = Field(1, ge=1, le=100)
    guidelines: str = Field("", max_length=10_000)
    most: int = Field(MOST_TASKS, ge=1, le=MOST_TASKS)
    lines: list[dict[str, Any]] | None = Field(None, min_length=1, max_length=MOST_TASKS)
    known: bool = False
    training: bool = False


class Priorities(RequestFields):
    """POST /api/tasks/prioritise. `rewards`: of answers, by message id, as a reward model gives them."""

    rewards: dict[str, float] = Field({}, max_length=100_000)


class Labelling:
    """The routes of `/api/tasks` for owners."""

    def __init__(self, store: Transactions) -> None:
        self.store = store

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/tasks", self.add, methods=["POST"])
        app.add_api_route("/api/tasks/make", self.make, methods=["POST"])
        app.add_api_route("/api/tasks/prioritise", self.prioritise, methods=["POST"])
        app.add_api_route("/api/tasks/agreement", self.agreement, methods=["GET"])
        app.add_api_route("/api/tasks/agreement/labellers", self.each, methods=["GET"])
        app.add_api_route("/api/tasks/differing", self.differing, methods=["GET"])
        app.add_api_route("/api/tasks/{id}/decide", self.decide, methods=["POST"])

    async def add(self, request: Request) -> Response:
        """Tasks on messages of the caller's own conversations, and of imported ones."""
        asked, caller = NewTasks.read(await read_json(request)), caller_of(request)

        def added(session: Session) -> list[str]:
            _check_messages(session, {task.message_id for task in asked.tasks}, caller)
            return [_added(session, task) for task in asked.tasks]

        return JSONResponse({"ids": await self.store.write(added, param="tasks")}, 201)

    async def make(self, request: Request) -> Response:
        """Tasks of one kind on all that suits it and has none yet."""
        asked, owner = MadeTasks.read(await read_json(request)), caller_of(request).name
        wanted = Wanted(asked.kind, asked.overlap, asked.guidelines, asked.known, asked.training)

        def made(session: Session) -> list[str]:
            if asked.lines is None:
                return make_tasks(session, wanted, owner, asked.most)
            return tasks_of_lines(session, wanted, numbered(asked.lines))

        return JSONResponse({"ids": await self.store.write(made, param="lines" if asked.lines else "kind")}, 201)

    async def prioritise(self, request: Request) -> Response:
        """First that of which least is known."""
        asked = Priorities.read(await read_json(request))
        return JSONResponse({"tasks": await self.store.write(lambda session: prioritise(session, asked.rewards))})

    async def agreement(self, request: Request) -> Response:
        """How far people agree, by kind."""
        found = await self.store.read(agreement)
        return JSONResponse({kind: agreed._asdict() for kind, agreed in found.items()})

    async def each(self, request: Request) -> Response:
        """How far each agrees with the others, by name and kind."""
        found = await self.store.read(agreement_of_each)
        return JSONResponse({name: {kind: agreed._asdict() for kind, agreed in own.items()}
                             for name, own in found.items()})  # fmt: skip

    async def differing(self, request: Request) -> Response:
        """Tasks of which labellers say different things, with what they said; those that are decided are left out."""
        owner = caller_of(request).name

        def found(session: Session) -> list[View]:
            return [task_content(session, one.task, owner) | {"labels": [label_view(label) for label in one.labels]}
                    for one in differing(session, MOST_DIFFERING)]  # fmt: skip

        return JSONResponse({"tasks": await self.store.read(found)})

    async def decide(self, request: Request, id: str) -> Response:
        """What counts of a task, in place of what its labellers said; decided again, it is that."""
        asked, owner = Submission.read(await read_json(request)), caller_of(request).name

        def decided(session: Session) -> View:
            said = decide(session, found_task(session, id), asked.said, owner)
            return {"labels": [label_view(label) for label in said]}

        return JSONResponse(await self.store.write(decided, param="labels"))


def numbered(lines: list[dict[str, Any]]) -> list[Line]:
    """Lines of a request, which errors name."""
    return [Line(line, f"line {number}") for number, line in enumerate(lines, 1)]


def _added(session: Session, task: NewTask) -> str:
    fields: dict[str, Any] = {"guidelines": task.guidelines}
    if task.known is not None:
        check_label(session, task.kind, task.message_id, task.known)
        fields |= {"known": task.known, "training": task.training}
    priority = TRAINING if task.training else task.priority
    return add_task(session, task.kind, task.message_id, overlap=task.overlap, priority=priority, fields=fields).id


def _check_messages(session: Session, ids: set[str], caller: Caller) -> None:
    """Raises `APIError` (404) unless all are of conversations of the caller's, or of nobody's."""
    seen = select(Message.id).join(Conversation, Conversation.id == Message.conversation_id)
    seen = seen.where(Conversation.owner.in_((caller.name, "")), Conversation.deleted.is_(None))
    seen = seen.where(Message.id.in_(ids), Message.deleted.is_(None))
    if ids - set(session.scalars(seen)):
        raise APIError(404, "You have no such message.", param="tasks", code="not_found")
