"""Answers in stored conversations: asked for, followed as they are written, also later and again, and stopped."""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import cast

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gptwright.serving.access import caller_of
from gptwright.serving.jobs import begin
from gptwright.serving.replies import JSON, event_of
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.answer_requests import AnswerRequest, Prepared, prepare, read_asked, read_sampling
from gptwright.serving.routes.conversations import Query, own, own_message, said
from gptwright.serving.routes.live_answers import LiveAnswer, LiveAnswers
from gptwright.serving.routes.views import View, message_view
from gptwright.serving.served_models import ServedModels
from gptwright.serving.transactions import Transactions
from gptwright.store.conversations import touch
from gptwright.store.messages import add_message, digest
from gptwright.store.tables import Message, new_id


class EventsQuery(Query):
    """GET /api/answers/ID/events. `offset`: characters that are known already."""

    offset: int = Field(0, ge=0)


class Answers:
    """The routes of answers."""

    def __init__(self, store: Transactions, served: ServedModels) -> None:
        self.store, self.served, self.live = store, served, LiveAnswers()
        self._beginning = asyncio.Lock()

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/conversations/{id}/answers", self.ask, methods=["POST"])
        app.add_api_route("/api/answers/{id}", self.get, methods=["GET"])
        app.add_api_route("/api/answers/{id}/events", self.follow, methods=["GET"])
        app.add_api_route("/api/answers/{id}/stop", self.stop, methods=["POST"])

    async def ask(self, request: Request, id: str) -> Response:
        """Begins an answer behind a message, or one that goes on where the assistant's message ends; both may be asked
        for again, and stand beside each other. It is written to its end whether or not somebody follows it. A message
        that is said with it is stored when the answer can begin, and else nothing is."""
        body, owner = await read_json(request), caller_of(request).name
        fields = {name: body.pop(name) for name in AnswerRequest.model_fields if name in body}
        asked = AnswerRequest.read(fields)
        own_id = digest("answer", id, asked.key) if asked.key else new_id()
        there = await self._there(own_id, id, owner)
        begun = there or await self._begun(own_id, id, asked, body, owner)
        question = {"question": await self._kept(begun["parent_id"], owner)} if asked.message else {}
        if asked.stream:
            first = event_of(JSON.encode({"answer": begun, **question}))
            return _event_stream(_after(first, await self._events(own_id, owner, 0)))
        return JSONResponse({**begun, **question}, 200 if there else 202)

    async def _there(self, id: str, conversation_id: str, owner: str) -> View | None:
        """What was asked for under this id before."""
        if live := self.live.find(id, owner):
            return live.view()

        def found(session: Session) -> View | None:
            own(session, conversation_id, owner)
            message = session.scalar(select(Message).where(Message.id == id))
            if message is None:
                return None
            return {"id": id, "parent_id": message.parent_id, "model": message.model, "message": message_view(message)}

        return await self.store.read(found)

    async def _begun(
        self, id: str, conversation_id: str, asked: AnswerRequest, body: dict[str, object], owner: str
    ) -> View:
        self.live.check_room(owner)
        served = self.served.writer(asked.model)
        before = await self.store.read(lambda session: read_asked(session, conversation_id, asked, owner))
        prepared = await run_in_threadpool(prepare, before, served, read_sampling(served, body, before))
        async with self._beginning:
            if there := await self._there(id, conversation_id, owner):  # asked twice at once
                return there
            live = prepared.live(id, owner)
            job = begin(served.worker, lambda: prepared.source(live))
            try:
                await self._say(prepared, owner)
            except BaseException:
                job.close()
                raise
            live.place = partial(served.worker.place, job)
            self.live.start(live, job, partial(self._keep, prepared))
        return live.view() | {"seed": prepared.seed, "dropped": prepared.dropped}

    async def _say(self, prepared: Prepared, owner: str) -> None:
        asked = prepared.asked
        if says := asked.says:
            await self.store.write(
                lambda session: said(session, asked.conversation_id, says, prepared.says, owner, asked.parent_id)
            )

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
            return JSONResponse(live.view() | {"content": live.text})
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
        return _event_stream(await self._events(id, owner, offset))

    async def _events(self, id: str, owner: str, offset: int) -> AsyncGenerator[bytes]:
        live = self.live.find(id, owner)
        return self._followed(live, offset) if live else _told(await self._kept(id, owner), offset)

    async def _followed(self, live: LiveAnswer, offset: int) -> AsyncGenerator[bytes]:
        async for place in live.places():
            yield event_of(JSON.encode({"place": place}))
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


async def _after(first: bytes, events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for event in events:
        yield event


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
