"""What a model was taught by people so far, and what it may be asked for more: GET /api/teaching."""

from collections import Counter
from typing import Any

from fastapi import FastAPI
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import caller_of
from gptwright.serving.routes.jobs import Improving
from gptwright.serving.routes.views import View
from gptwright.serving.transactions import Transactions
from gptwright.store.labels import labels
from gptwright.store.messages import text_of
from gptwright.store.tables import Annotation, Conversation, Job, Message

TAUGHT = ("ranking", "preference", "edit", "demonstration", "thumb")
"""kinds of labels that `improve` learns from"""
ASKED = 200
"""questions of one's own that are offered"""


class Teaching:
    """The route of `/api/teaching`."""

    def __init__(self, store: Transactions, improving: Improving | None) -> None:
        self.store, self.improving = store, improving

    def add_to(self, app: FastAPI) -> None:
        """Declares the route."""
        app.add_api_route("/api/teaching", self.get, methods=["GET"])

    async def get(self, request: Request) -> Response:
        """`labels` by kind, all that count, and `new`: those said since the last improvement was asked for, all kinds
        together; of rankings in which all tie none. `asked`: one's own first questions, the latest first; `prompts`:
        the run's. `improves`: whether the server has a run to improve, `least`: the rankings that this needs."""
        owner = caller_of(request).name
        found = await self.store.read(lambda session: _labels(session) | {"asked": _asked(session, owner)})
        run = self.improving
        prompts = await run_in_threadpool(run.prompts) if run else ()
        may_undo = await run_in_threadpool(run.may_undo) if run else False
        return JSONResponse(found | {"improves": run is not None, "least": run.least if run else 0,
                                     "prompts": [*prompts], "may_undo": may_undo})  # fmt: skip


def _labels(session: Session) -> View:
    told = [label for label in labels(session, *TAUGHT) if not _all_tie(label)]
    last = select(Job.created).where(Job.kind == "improve", Job.state == "done").order_by(Job.number.desc()).limit(1)
    since = session.scalar(last) or 0.0
    counts = Counter(label.kind for label in told)
    return {"labels": {kind: counts[kind] for kind in TAUGHT}, "new": sum(label.created > since for label in told)}


def _all_tie(label: Annotation) -> bool:
    value: Any = label.value
    if label.kind == "preference":
        return value["strength"] == 0
    return label.kind == "ranking" and len({*value["ranks"]}) == 1


def _asked(session: Session, owner: str) -> list[str]:
    """Each once; a system prompt may stand before it."""
    before = aliased(Message)
    first = (
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(before, before.id == Message.parent_id)
        .where(Conversation.owner == owner, Conversation.deleted.is_(None), Message.deleted.is_(None))
        .where(Message.role == "user", or_(before.id.is_(None), before.role == "system"))
        .order_by(Message.created.desc())
        .limit(ASKED)
    )
    return list(dict.fromkeys(text for message in session.scalars(first) if (text := text_of(message.content).strip())))
