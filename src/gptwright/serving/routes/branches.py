"""Branches of one's conversations over HTTP: deleted, and taken back."""

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import OnlyFalse, RequestFields
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.conversations import own_message
from gptwright.serving.routes.live_answers import LiveAnswers
from gptwright.serving.routes.views import View, message_view
from gptwright.serving.transactions import Transactions
from gptwright.store.branches import delete_branch, take_back_branch


class MessageChange(RequestFields):
    """PATCH of a message: takes its deletion back."""

    deleted: OnlyFalse


class Branches:
    """The routes of `/api/messages/ID`."""

    def __init__(self, store: Transactions, live: LiveAnswers) -> None:
        self.store, self.live = store, live

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/messages/{id}", self.delete, methods=["DELETE"])
        app.add_api_route("/api/messages/{id}", self.take_back, methods=["PATCH"])

    async def delete(self, request: Request, id: str) -> Response:
        """The message and what is behind it are seen no more, and nothing is learned of them. Refused (409) while an
        answer is written in the conversation: it would stand behind what is gone."""
        owner = caller_of(request).name

        def deleted(session: Session) -> View:
            message = own_message(session, id, owner)
            if self.live.of(message.conversation_id, owner):
                raise APIError(409, "An answer is being written in this conversation: stop it, or wait for it.",
                               code="answer_being_written")  # fmt: skip
            return message_view(delete_branch(session, id))

        return JSONResponse(await self.store.write(deleted))

    async def take_back(self, request: Request, id: str) -> Response:
        """The message is there again, with what was deleted together with it."""
        MessageChange.read(await read_json(request))
        owner = caller_of(request).name

        def taken_back(session: Session) -> View:
            own_message(session, id, owner, deleted=True)
            return message_view(take_back_branch(session, id))

        return JSONResponse(await self.store.write(taken_back))
