"""Answers in stored conversations: asked for, followed as they are written, also later and again, and stopped."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.engine import PromptTooLong
from gptwright.inference.sampling import Sampling
from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError, api_error_of, unsupported_parameter
from gptwright.serving.choices import ChoiceStreams
from gptwright.serving.fields import RequestFields
from gptwright.serving.jobs import begin
from gptwright.serving.messages import MOST_IMAGES
from gptwright.serving.replies import JSON, event_of
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.conversations import ClientKey, Query, own, own_message
from gptwright.serving.routes.live_answers import LiveAnswer, LiveAnswers, draw_seed
from gptwright.serving.routes.views import View, message_view
from gptwright.serving.schemas import ChatRequest
from gptwright.serving.served_models import ServedModel, ServedModels
from gptwright.serving.transactions import Transactions
from gptwright.store.conversations import touch
from gptwright.store.messages import Generation, add_message, digest, history, turn_of
from gptwright.store.tables import Message, new_id
from gptwright.tokenizers.chat_templates.parts import images_of

if TYPE_CHECKING:
    from gptwright.inference.content import Content
    from gptwright.tokenizers.chat_templates.chat import Message as Turn

ELSEWHERE = (
    "messages", "stream", "stream_options", "n", "truncation", "logprobs", "top_logprobs", "store", "metadata",
    "tools", "tool_choice", "functions", "function_call", "prediction",
)  # fmt: skip
"""fields of /v1/chat/completions that have no place here: what is read is stored, and one text is written"""


class AnswerRequest(RequestFields):
    """POST /api/conversations/ID/answers, without the fields that /v1/chat/completions has too."""

    message_id: str = Field(max_length=64)
    key: ClientKey | None = None
    model: str | None = None


class EventsQuery(Query):
    """GET /api/answers/ID/events. `offset`: characters that are known already."""

    offset: int = Field(0, ge=0)


@dataclass(frozen=True)
class Asked:
    """What an answer is written to: the turns before it, and the text with which it begins where one is continued."""

    conversation_id: str
    parent_id: str
    turns: "Sequence[Turn]"
    begun: str = ""
    continues: str = ""


@dataclass(frozen=True)
class Prepared:
    """The same, as the model reads it."""

    asked: Asked
    served: ServedModel
    sampling: Sampling
    seed: int
    ids: Sequence[int]
    seen: "Mapping[int, Content]"
    """what stands in the places of images"""
    dropped: int

    def source(self, live: LiveAnswer) -> ChoiceStreams:
        """What the worker makes of it; called when its turn has come."""
        live.note("waited")
        opened = partial(self.served.model.open_stream, self.ids, starts_text=not self.asked.begun,
                         **({"content": self.seen} if self.seen else {}))  # fmt: skip
        return ChoiceStreams([opened], replace(self.sampling, seed=self.seed))

    def generation(self, live: LiveAnswer) -> Generation:
        """How the answer came about."""
        own = {name: value for name, value in asdict(self.sampling).items() if name != "seed"}
        said = Generation(weights=self.served.weights, sampling=own, seed=self.seed, prompt_ids=[*self.ids],
                          seconds=live.seconds, finish=live.finish, dropped=self.dropped)  # fmt: skip
        return said | {"continues": self.asked.continues} if self.asked.continues else said


class Answers:
    """The routes of answers."""

    def __init__(self, store: Transactions, served: ServedModels) -> None:
        self.store, self.served, self.live = store, served, LiveAnswers()

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/conversations/{id}/answers", self.ask, methods=["POST"])
        app.add_api_route("/api/answers/{id}", self.get, methods=["GET"])
        app.add_api_route("/api/answers/{id}/events", self.follow, methods=["GET"])
        app.add_api_route("/api/answers/{id}/stop", self.stop, methods=["POST"])

    async def ask(self, request: Request, id: str) -> Response:
        """Begins an answer behind a message, or one that goes on where the assistant's message ends; both may be asked
        for again, and stand beside each other. It is written to its end whether or not somebody follows it."""
        body, owner = await read_json(request), caller_of(request).name
        fields = {name: body.pop(name) for name in AnswerRequest.model_fields if name in body}
        asked = AnswerRequest.read(fields)
        own_id = digest("answer", id, asked.key) if asked.key else new_id()
        there = await self._there(own_id, id, owner)
        if there:
            return JSONResponse(there)
        self.live.check_room(owner)
        served = self.served.writer(asked.model)
        before = await self.store.read(lambda session: _asked(session, id, asked.message_id, owner))
        prepared = await run_in_threadpool(_prepared, before, served, _settings(served, body, before))
        if there := await self._there(own_id, id, owner):  # asked twice at once
            return JSONResponse(there)
        live = LiveAnswer(own_id, owner, prepared.asked.begun)
        job = begin(served.worker, lambda: prepared.source(live))
        self.live.start(live, job, partial(self._keep, prepared))
        return JSONResponse(_live_view(live) | {"model": served.name, "seed": prepared.seed,
                            "dropped": prepared.dropped}, 202)  # fmt: skip

    async def _there(self, id: str, conversation_id: str, owner: str) -> View | None:
        """What was asked for under this id before."""
        if live := self.live.find(id, owner):
            return _live_view(live)

        def found(session: Session) -> View | None:
            own(session, conversation_id, owner)
            message = session.scalar(select(Message).where(Message.id == id))
            return {"id": id, "message": message_view(message)} if message else None

        return await self.store.read(found)

    async def _keep(self, prepared: Prepared, live: LiveAnswer) -> None:
        if live.error and live.text == prepared.asked.begun:
            return

        def kept(session: Session) -> None:
            asked = prepared.asked
            add_message(session, asked.conversation_id, asked.parent_id, "assistant", live.text,
                        model=prepared.served.name, generation=prepared.generation(live), id=live.id)  # fmt: skip
            touch(session, asked.conversation_id, live.id)

        await self.store.write(kept)

    async def get(self, request: Request, id: str) -> Response:
        """An answer as far as it is written, or, once it has ended, all that is known of it."""
        owner = caller_of(request).name
        if live := self.live.find(id, owner):
            return JSONResponse(_live_view(live) | {"content": live.text})
        return JSONResponse({"id": id, "message": await self._kept(id, owner, whole=True)})

    async def _kept(self, id: str, owner: str, *, whole: bool = False) -> View:
        return await self.store.read(lambda session: message_view(own_message(session, id, owner), whole=whole))

    async def follow(self, request: Request, id: str) -> Response:
        """Server-sent events from a character on: pieces of text, whose ids are the characters so far, then the message
        as it is stored. The browser that lost its connection sends the last id, and nothing is missed or told twice."""
        owner = caller_of(request).name
        last = request.headers.get("last-event-id", "")
        known = {"offset": last} if last.isdecimal() else {}
        offset = EventsQuery.read({**request.query_params, **known}).offset
        live = self.live.find(id, owner)
        if live is None:
            kept = await self._kept(id, owner)
            return _event_stream(_told(kept, offset))
        return _event_stream(self._followed(live, offset))

    async def _followed(self, live: LiveAnswer, offset: int) -> AsyncGenerator[bytes]:
        async for end, piece in live.pieces(offset):
            yield _piece(end, piece)
        if live.error:
            yield event_of(JSON.encode(live.error.body()))
            return
        yield _ended(await self._kept(live.id, live.owner))

    async def stop(self, request: Request, id: str) -> Response:
        """Ends an answer here; what is written of it is kept."""
        owner = caller_of(request).name
        live = self.live.find(id, owner)
        if live is None:
            return JSONResponse({"id": id, "message": await self._kept(id, owner)})
        live.stop()
        async for _ in live.pieces(len(live.text)):
            pass
        if live.error:
            raise live.error
        return JSONResponse({"id": id, "message": await self._kept(id, owner)})


def _asked(session: Session, conversation_id: str, message_id: str, owner: str) -> Asked:
    own(session, conversation_id, owner)
    message = own_message(session, message_id, owner)
    if message.conversation_id != conversation_id:
        raise APIError(404, "You have no such message.", param="message_id", code="not_found")
    path = history(session, message_id)
    if message.role != "assistant":
        return Asked(conversation_id, message_id, list(map(turn_of, path)))
    if len(path) < 2:
        raise APIError(400, "'message_id': this message answers nothing.", param="message_id", code="invalid_value")
    return Asked(conversation_id, str(message.parent_id), list(map(turn_of, path[:-1])), turn_of(message)["content"],
                 message_id)  # fmt: skip


def _settings(served: ServedModel, body: dict[str, object], asked: Asked) -> Sampling:
    """How it is written: as /v1/chat/completions reads it. Raises `APIError` (400) naming a field."""
    for name in ELSEWHERE:
        if body.get(name) is not None:
            raise unsupported_parameter(name)
    texts: Any = [{"role": turn["role"], "content": turn["content"]} for turn in asked.turns]
    read = ChatRequest.read({**body, "model": served.name, "messages": texts})
    model = served.model
    return read.sampling(model.sampling, model.context, model.tokenizer.vocab)


def _prepared(asked: Asked, served: ServedModel, sampling: Sampling) -> Prepared:
    """Raises `APIError` for what the model cannot take."""
    model = served.model
    try:
        if asked.begun and sampling.schema is not None:
            message = "'response_format': an answer that is continued cannot be held to a form."
            raise APIError(400, message, param="response_format", code="invalid_value")
        model.matcher(sampling, starts_text=True)
        shown = model.truncated(asked.turns, sampling, begun=asked.begun)
        if (count := len(images_of(shown))) > MOST_IMAGES:
            raise APIError(400, f"'message_id': at most {MOST_IMAGES} images may be before it, not {count}.",
                           param="message_id", code="invalid_value")  # fmt: skip
        ids = model.chat_ids(shown, begun=asked.begun)
        seen = model.chat_content(shown) if images_of(shown) else {}
        if len(ids) >= model.context:
            raise PromptTooLong(len(ids), model.context, answered=True)
    except GptwrightError as error:
        raise api_error_of(error, "message_id") from error
    seed = draw_seed() if sampling.seed is None else sampling.seed
    return Prepared(asked, served, sampling, seed, ids, seen, len(asked.turns) - len(shown))


def _live_view(live: LiveAnswer) -> View:
    return {"id": live.id, "offset": len(live.text), "tokens": live.tokens}


async def _told(kept: View, offset: int) -> AsyncGenerator[bytes]:
    text = cast("str", kept["content"])
    if len(text) > offset:
        yield _piece(len(text), text[offset:])
    yield _ended(kept)


def _piece(end: int, text: str) -> bytes:
    return f"id: {end}\n".encode() + event_of(JSON.encode({"text": text, "offset": end}))


def _ended(kept: View) -> bytes:
    return event_of(JSON.encode({"message": kept}))


def _event_stream(events: AsyncGenerator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream")
