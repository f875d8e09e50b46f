"""A model's pieces as OpenAI's answers: one JSON object, or server-sent events as the tokens come."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gptwright.engine.sampling import Sampling
from gptwright.serving.refusals import CLIENT_GONE, Refusal, from_model
from gptwright.serving.shapes import Asked
from gptwright.serving.wordings import Wording
from gptwright.serving.worker import Closed, Job, LineFull, Worker

if TYPE_CHECKING:
    from gptwright.generation.model import Piece

T = TypeVar("T")
Numbered = tuple[int, "Piece"]
Stream = Callable[[Sampling], "Iterator[Piece]"]


class Gathered:
    """The choices so far: text, how each ended, and tokens."""

    def __init__(self, choices: int) -> None:
        self.texts = [""] * choices
        self.finishes: list[str | None] = [None] * choices
        self.completion = [0] * choices
        self.prompt = 0

    def add(self, index: int, piece: "Piece") -> None:
        self.texts[index] += piece.text
        self.finishes[index] = piece.finish
        self.completion[index], self.prompt = piece.completion_tokens, piece.prompt_tokens

    def usage(self) -> dict[str, int]:
        """Token counts of the prompt (once) and of all choices."""
        made = sum(self.completion)
        return {"prompt_tokens": self.prompt, "completion_tokens": made, "total_tokens": self.prompt + made}


def choices(stream: Stream, sampling: Sampling, count: int) -> "Iterator[Numbered]":
    """`count` replies one after another, each piece with its number. A given seed grows by one for each reply."""
    for index in range(count):
        seed = None if sampling.seed is None else (sampling.seed + index) % (1 << 63)
        for piece in stream(dataclasses.replace(sampling, seed=seed)):
            yield index, piece


async def answer(
    request: Request, worker: "Worker[Numbered]", asked: Asked, stream: Stream, sampling: Sampling, wording: Wording
) -> Response:
    """Runs the request and answers it, streamed or whole.

    Raises `Refusal`: 400 for what the model cannot take, 429 when too many wait, 499 when the caller has gone.
    """
    try:
        job = worker.submit(lambda: choices(stream, sampling, asked.choices))
    except LineFull as error:
        raise Refusal(429, f"{worker.waiting} requests are waiting; try again soon.", code="queue_full") from error
    except Closed as error:
        raise _stopping() from error
    head = {"id": wording.id, "created": int(time.time()), "model": asked.model}
    try:
        first = await _attended(request, anext(job), wording.given)
        gathered = Gathered(asked.choices)
        gathered.add(*first)
        if asked.stream:
            head["object"] = wording.part
            return _Events(_events(job, first, gathered, asked.wants_usage, wording, head), job)
        await _attended(request, _gather(job, gathered), wording.given)
    except BaseException:
        job.close()
        raise
    done = zip(gathered.texts, gathered.finishes, strict=True)
    told = [wording.choice(index, text, finish) for index, (text, finish) in enumerate(done)]
    return JSONResponse({**head, "object": wording.whole, "choices": told, "usage": gathered.usage()})


async def _gather(job: "Job[Numbered]", gathered: Gathered) -> None:
    async for index, piece in job:
        gathered.add(index, piece)


async def _attended(request: Request, work: Awaitable[T], given: str) -> T:
    """The work's result, unless the caller goes away first. `given` is the field that held the prompt."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refusal(CLIENT_GONE, "The client closed the connection.", code="client_gone")
        return task.result()
    except (Refusal, asyncio.CancelledError):
        raise
    except Exception as error:
        raise _refusal(error, given) from error
    finally:
        task.cancel()
        gone.cancel()


def _refusal(error: Exception, given: str) -> Refusal:
    return _stopping() if isinstance(error, Closed) else from_model(error, given)


def _stopping() -> Refusal:
    return Refusal(503, "The server is stopping.", code="stopping")


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(
    job: "Job[Numbered]",
    first: "Numbered",
    gathered: Gathered,
    wants_usage: bool,
    wording: Wording,
    head: dict[str, Any],
) -> AsyncIterator[bytes]:
    """Opening, pieces, end of each choice, usage when wanted, `[DONE]`."""
    rest = {"usage": None} if wants_usage else {}
    for index in range(len(gathered.texts)):
        if opening := wording.opening(index):
            yield _event({**head, "choices": [opening], **rest})
    try:
        for choice in _told(*first, wording):
            yield _event({**head, "choices": [choice], **rest})
        async for index, piece in job:
            gathered.add(index, piece)
            for choice in _told(index, piece, wording):
                yield _event({**head, "choices": [choice], **rest})
    except Exception as error:
        yield _event(_refusal(error, wording.given).body())
        return
    if wants_usage:
        yield _event({**head, "choices": [], "usage": gathered.usage()})
    yield b"data: [DONE]\n\n"


def _told(index: int, piece: "Piece", wording: Wording) -> Iterator[dict[str, Any]]:
    if piece.text:
        yield wording.delta(index, piece.text, None)
    if piece.finish:
        yield wording.delta(index, "", piece.finish)


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n\n"


class _Events(StreamingResponse):
    """Server-sent events that let go of their job however they end."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], job: "Job[Numbered]") -> None:
        super().__init__(events)
        self.job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.job.close()
