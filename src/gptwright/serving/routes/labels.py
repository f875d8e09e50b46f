"""What a caller says of messages in their own conversations: said again it replaces, and it can be withdrawn."""

from typing import Any

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import RequestFields
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.conversations import ClientKey, Query, own, own_message
from gptwright.serving.routes.views import View, label_view
from gptwright.serving.transactions import Transactions
from gptwright.store.labels import labels, newest_label, say_label, withdraw
from gptwright.store.messages import digest


class LabelRequest(RequestFields):
    """PUT /api/messages/ID/labels/KIND. `id` tells labels of one kind and message apart."""

    value: Any = Field(...)
    id: ClientKey | None = None


class LabelQuery(Query):
    """DELETE of the same."""

    id: ClientKey | None = None


def pair_id(message_id: str, kind: str, value: Any) -> str:
    """The id of a label without one: a message has one of each kind, and one preference for each two answers."""
    answers = value.get("answers") if kind == "preference" and isinstance(value, dict) else None  # pyright: ignore
    return digest("pair", message_id, sorted(map(str, answers))) if isinstance(answers, list) else message_id  # pyright: ignore


class Labels:
    """The routes of labels."""

    def __init__(self, store: Transactions) -> None:
        self.store = store

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/conversations/{id}/labels", self.all, methods=["GET"])
        app.add_api_route("/api/messages/{id}/labels", self.get, methods=["GET"])
        app.add_api_route("/api/messages/{id}/labels/{kind}", self.put, methods=["PUT"])
        app.add_api_route("/api/messages/{id}/labels/{kind}", self.withdraw, methods=["DELETE"])

    async def all(self, request: Request, id: str) -> Response:
        """The caller's of all messages of a conversation that count."""
        owner = caller_of(request).name

        def found(session: Session) -> list[View]:
            own(session, id, owner)
            return [label_view(label) for label in labels(session, author=owner, conversation_id=id)]

        return JSONResponse({"labels": await self.store.read(found)})

    async def get(self, request: Request, id: str) -> Response:
        """The caller's of one message that count."""
        owner = caller_of(request).name

        def found(session: Session) -> list[View]:
            own_message(session, id, owner)
            return [label_view(label) for label in labels(session, author=owner, message_id=id)]

        return JSONResponse({"labels": await self.store.read(found)})

    async def put(self, request: Request, id: str, kind: str) -> Response:
        """Says it, or says it otherwise."""
        asked, owner = LabelRequest.read(await read_json(request)), caller_of(request).name

        def said(session: Session) -> View:
            own_message(session, id, owner)
            label_id = asked.id or pair_id(id, kind, asked.value)
            return label_view(say_label(session, kind, id, asked.value, id=label_id, author=owner))

        return JSONResponse(await self.store.write(said, param="value"))

    async def withdraw(self, request: Request, id: str, kind: str) -> Response:
        """It counts no more; `PUT` says it again."""
        owner = caller_of(request).name
        label_id = LabelQuery.read(dict(request.query_params)).id or id

        def withdrawn(session: Session) -> View:
            own_message(session, id, owner)
            if newest_label(session, kind, label_id, owner) is None:
                raise APIError(404, "You have no such label.", param="id", code="not_found")
            return label_view(withdraw(session, kind, label_id, author=owner))

        return JSONResponse(await self.store.write(withdrawn))
