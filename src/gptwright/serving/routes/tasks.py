"""The queue of those who label: the next task, its labels, why it is skipped, and all of it taken back."""

from typing import Any, Literal, Self

from fastapi import FastAPI
from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import OWNER, caller_of
from gptwright.serving.fields import RequestFields, refuse
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.task_views import found_task, task_view
from gptwright.serving.routes.views import View, label_view
from gptwright.serving.transactions import Transactions
from gptwright.store.known_labels import nearness, scores
from gptwright.store.speed import speeds
from gptwright.store.tables import Annotation, Place, Task
from gptwright.store.task_labels import WRITTEN, Said, skip_task, submit_labels, withdraw_all_but
from gptwright.store.tasks import LEASE, done_by, progress, renew_task, reopen_task, take_task

Kind = Literal["ranking", "preference", "rating", "flags", "thumb", "edit", "demonstration"]


class NextTask(RequestFields):
    """POST /api/tasks/next."""

    kinds: list[Kind] = Field([], max_length=10)
    seconds: float = Field(LEASE, ge=1, le=86_400)


class Renewal(RequestFields):
    """POST /api/tasks/ID/renew."""

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

    @property
    def said(self) -> list[Said]:
        """As the store takes them."""
        return [Said(label.kind, label.message_id, label.value, label.text) for label in self.labels]


class Skip(RequestFields):
    """POST /api/tasks/ID/skip. `unsure`: it was looked at, and could not be decided."""

    reason: str = Field(min_length=1, max_length=2000)
    unsure: bool = False


class Tasks:
    """The routes of `/api/tasks` for those who label."""

    def __init__(self, store: Transactions) -> None:
        self.store = store

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/tasks/next", self.next, methods=["POST"])
        app.add_api_route("/api/tasks/progress", self.progress, methods=["GET"])
        for name in ("submit", "skip", "undo", "renew"):
            app.add_api_route(f"/api/tasks/{{id}}/{name}", getattr(self, name), methods=["POST"])

    async def next(self, request: Request) -> Response:
        """The task that the caller holds, or the next one, held from now on; null when there is none."""
        asked, labeller = NextTask.read(await read_json(request)), caller_of(request).name

        def taken(session: Session) -> View | None:
            task = take_task(session, labeller, seconds=asked.seconds, kinds=asked.kinds)
            return task_view(session, task, labeller) if task else None

        return JSONResponse({"task": await self.store.write(taken)})

    async def submit(self, request: Request, id: str) -> Response:
        """The labels of a task, all or none. `in_time`: the place was the caller's still. `known`: the label that was
        known before, where there is one, and how near, of 1, the caller's comes to it."""
        asked, labeller = Submission.read(await read_json(request)), caller_of(request).name

        def submitted(session: Session) -> View:
            task = found_task(session, id)
            said = submit_labels(session, task, asked.said, labeller)
            told = {"labels": [label_view(label) for label in said], "in_time": _is_done(session, id, labeller)}
            return told | ({"known": _compared(task, said)} if "known" in task.fields else {})

        return JSONResponse(await self.store.write(submitted, param="labels"))

    async def skip(self, request: Request, id: str) -> Response:
        """The caller does not do it, and says why: it is another's, and does not come back."""
        asked, labeller = Skip.read(await read_json(request)), caller_of(request).name

        def skipped(session: Session) -> View:
            task = found_task(session, id)
            return {"given_back": skip_task(session, task, labeller, asked.reason, unsure=asked.unsure)}

        return JSONResponse(await self.store.write(skipped, param="reason"))

    async def undo(self, request: Request, id: str) -> Response:
        """Takes back all that the caller said of a task, and gives it to them again where it is not another's."""
        labeller = caller_of(request).name

        def undone(session: Session) -> View:
            task = found_task(session, id)
            withdrawn = withdraw_all_but(session, task, labeller, set())
            held = reopen_task(session, id, labeller) if withdrawn else None
            return {"withdrawn": withdrawn, "task": task_view(session, task, labeller) if held else None}

        return JSONResponse(await self.store.write(undone))

    async def renew(self, request: Request, id: str) -> Response:
        """The caller is at it still: it stays theirs. `held` is false where it is another's by now, or done."""
        asked, labeller = Renewal.read(await read_json(request)), caller_of(request).name

        def renewed(session: Session) -> View:
            found_task(session, id)
            return {"held": renew_task(session, id, labeller, seconds=asked.seconds), "seconds_left": asked.seconds}

        return JSONResponse(await self.store.write(renewed))

    async def progress(self, request: Request) -> Response:
        """How much is done; of each person's part, an owner sees all, others their own: how many tasks, how fast, and
        how near to the known labels."""
        caller = caller_of(request)

        def counted(session: Session) -> View:
            by, fast, near = done_by(session), speeds(session), scores(session)
            names = sorted({*by, *fast, *near}) if caller.may(OWNER) else [caller.name]
            people = {
                name: {"done": by.get(name, 0), **(fast[name]._asdict() if name in fast else {}),
                       **({"score": near[name]._asdict()} if name in near else {})}
                for name in names
            }  # fmt: skip
            return {"kinds": progress(session), "done_by": {name: by.get(name, 0) for name in names}, "people": people}

        return JSONResponse(await self.store.read(counted))


def _compared(task: Task, said: list[Annotation]) -> View:
    known = task.fields["known"]
    own = next(label for label in said if label.kind == task.kind)
    return {"value": known, "nearness": nearness(task.kind, own.value, known)}


def _is_done(session: Session, id: str, labeller: str) -> bool:
    own = select(Place.done).where(Place.task_id == id, Place.labeller == labeller)
    return bool(session.scalar(own))
