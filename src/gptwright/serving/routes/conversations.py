"""Conversations over HTTP: each caller's own, as trees of messages."""

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from fastapi import FastAPI
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import GptwrightError, InputError
from gptwright.images.decode import decode_image
from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError, api_error_of
from gptwright.serving.fields import RequestFields, refuse
from gptwright.serving.messages import MOST_IMAGES
from gptwright.serving.messages import Message as Said
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.live_answers import LiveAnswers
from gptwright.serving.routes.views import View, conversation_view, message_view
from gptwright.serving.transactions import Transactions
from gptwright.store.conversations import find_conversation, list_conversations, search_conversations, touch
from gptwright.store.messages import add_conversation, add_message, digest, parts_of
from gptwright.store.tables import Conversation, Message, Part, new_id
from gptwright.tokenizers.chat_templates.parts import images_of

if TYPE_CHECKING:
    from gptwright.tokenizers.chat_templates.chat import Message as Turn

Title = Annotated[str, Field(max_length=200)]
ClientKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""what a client calls its request: sent again, it is done once"""


class Query(RequestFields):
    """What stands behind the question mark of an address."""

    model_config = ConfigDict(strict=False)


class ListQuery(Query):
    """GET /api/conversations. `search`: words that one message or the title has."""

    search: str | None = Field(None, max_length=200)
    folder: str | None = None
    deleted: bool = False
    offset: int = Field(0, ge=0, le=10**6)
    limit: int = Field(50, ge=1, le=200)


class NewConversation(RequestFields):
    """POST /api/conversations."""

    title: Title = ""
    folder: Title = ""


class ConversationChange(RequestFields):
    """PATCH of a conversation: what is given is changed. `deleted` false takes a deletion back."""

    title: Title | None = None
    folder: Title | None = None
    pinned: bool | None = None
    leaf: str | None = Field(None, max_length=64)
    deleted: bool | None = None


class NewMessage(RequestFields):
    """POST of a message behind `parent_id`, or of one that begins the conversation. An assistant's is what a person
    says it should have been. `content` is a text, or parts as /v1/chat/completions takes them."""

    role: Literal["system", "user", "assistant"]
    content: str | list[dict[str, Any]]
    parent_id: str | None = Field(None, max_length=64)
    key: ClientKey | None = None

    @model_validator(mode="after")
    def _somebody_answers_something(self) -> Self:
        if self.role == "assistant" and self.parent_id is None:
            refuse("parent_id", "a message of the assistant follows another")
        return self

    def turn(self) -> "Turn":
        """As chat templates read it. Raises `APIError` (400) for parts that are neither texts nor images."""
        return Said.read({"role": self.role, "content": self.content}).turn()


def own(session: Session, id: str, owner: str, *, deleted: bool = False) -> Conversation:
    """The caller's conversation. Raises `APIError` (404) alike for one that is not there and one of somebody else."""
    try:
        found = find_conversation(session, id, owner)
    except InputError as error:
        raise _nothing("conversation") from error
    if found.deleted is not None and not deleted:
        raise _nothing("conversation")
    return found


def own_message(session: Session, id: str, owner: str, *, deleted: bool = False) -> Message:
    """A message of one of the caller's conversations. Raises as `own` does."""
    found = session.scalar(select(Message).where(Message.id == id))
    if found is None or (found.deleted is not None and not deleted):
        raise _nothing("message")
    own(session, found.conversation_id, owner)
    return found


def _nothing(what: str) -> APIError:
    return APIError(404, f"You have no such {what}.", code="not_found")


def message_id_of(conversation_id: str, key: str | None) -> str:
    """The id of a message that a client calls so."""
    return digest("message", conversation_id, key) if key else new_id()


def said(session: Session, id: str, asked: NewMessage, content: str | list[Part], owner: str, own_id: str) -> Message:
    """The message in the conversation `id`, stored as `own_id` with this content, or as it was when it was said before.
    Raises as `own` does."""
    own(session, id, owner)
    if there := session.scalar(select(Message).where(Message.id == own_id)):
        return there
    made = add_message(session, id, asked.parent_id, asked.role, content, author=owner, id=own_id)
    touch(session, id, made.id)
    return made


class Conversations:
    """The routes of `/api/conversations`."""

    def __init__(self, store: Transactions, live: LiveAnswers) -> None:
        self.store, self.live = store, live

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        one = "/api/conversations/{id}"
        app.add_api_route("/api/conversations", self.list, methods=["GET"])
        app.add_api_route("/api/conversations", self.new, methods=["POST"])
        app.add_api_route(one, self.open, methods=["GET"])
        app.add_api_route(one, self.change, methods=["PATCH"])
        app.add_api_route(one, self.delete, methods=["DELETE"])
        app.add_api_route(f"{one}/messages", self.say, methods=["POST"])

    async def list(self, request: Request) -> Response:
        """The caller's, the pinned and the latest first; with `search` those that have the words, and where."""
        asked, owner = ListQuery.read(dict(request.query_params)), caller_of(request).name
        where: dict[str, Any] = {"folder": asked.folder, "deleted": asked.deleted, "limit": asked.limit}

        def listed(session: Session) -> list[View]:
            if asked.search is None:
                found = list_conversations(session, owner, **where, offset=asked.offset)
                return [conversation_view(one) for one in found]
            hits = search_conversations(session, owner, asked.search, **where)
            return [conversation_view(hit.conversation) | {"found": {"message_id": hit.message_id,
                    "excerpt": hit.excerpt}} for hit in hits]  # fmt: skip

        return JSONResponse({"conversations": await self.store.read(listed)})

    async def new(self, request: Request) -> Response:
        """An empty one."""
        asked, owner = NewConversation.read(await read_json(request)), caller_of(request).name

        def made(session: Session) -> View:
            one = add_conversation(session, owner=owner, title=asked.title)
            one.folder = asked.folder
            return conversation_view(one)

        return JSONResponse(await self.store.write(made), 201)

    async def open(self, request: Request, id: str) -> Response:
        """One with all its messages, each behind the one that it follows, and with what is being written."""
        owner = caller_of(request).name
        writing = [one.view() for one in self.live.of(id, owner)]  # before the messages: what ends meanwhile is in both

        def opened(session: Session) -> View:
            view = conversation_view(own(session, id, owner))
            there = Message.conversation_id == id, Message.deleted.is_(None)
            found = session.scalars(select(Message).where(*there).order_by(Message.number))
            return view | {"messages": [message_view(message) for message in found], "writing": writing}

        return JSONResponse(await self.store.read(opened))

    async def change(self, request: Request, id: str) -> Response:
        """Renames, files, pins, turns to another branch, or takes a deletion back."""
        asked, owner = ConversationChange.read(await read_json(request)), caller_of(request).name

        def changed(session: Session) -> View:
            one = own(session, id, owner, deleted=True)
            if asked.leaf and own_message(session, asked.leaf, owner).conversation_id != id:
                raise _nothing("message")
            for name in ("title", "folder", "pinned", "leaf"):
                if (value := getattr(asked, name)) is not None:
                    setattr(one, name, value)
            if asked.deleted is not None:
                one.deleted = time.time() if asked.deleted else None
            return conversation_view(one)

        return JSONResponse(await self.store.write(changed))

    async def delete(self, request: Request, id: str) -> Response:
        """It is seen no more, and nothing is learned of it; `PATCH {"deleted": false}` takes that back."""
        owner = caller_of(request).name

        def deleted(session: Session) -> View:
            one = own(session, id, owner)
            one.deleted = time.time()
            return conversation_view(one)

        return JSONResponse(await self.store.write(deleted))

    async def say(self, request: Request, id: str) -> Response:
        """A message more. One with the parent of another stands beside it: an edited question, a better answer."""
        asked, owner = NewMessage.read(await read_json(request)), caller_of(request).name
        content = await run_in_threadpool(lambda: checked_parts(asked.turn()))
        own_id = message_id_of(id, asked.key)

        def stored(session: Session) -> View:
            return message_view(said(session, id, asked, content, owner, own_id))

        return JSONResponse(await self.store.write(stored, param="parent_id"), 201)


def checked_parts(turn: "Turn") -> list[Part]:
    """Its content as the store keeps it. Raises `APIError` (400) for more images than are shown at once, and for those
    that cannot be read."""
    images = images_of([turn])
    if len(images) > MOST_IMAGES:
        raise APIError(400, f"'content': at most {MOST_IMAGES} images, not {len(images)}.", param="content",
                       code="invalid_value")  # fmt: skip
    try:
        for image in images:
            decode_image(image)
    except GptwrightError as error:
        raise api_error_of(error, "content") from error
    return parts_of(turn)
