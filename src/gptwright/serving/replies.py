"""A model's pieces as OpenAI's answers: one JSON object, or server-sent events as the tokens come."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gptwright.inference.sampling import Sampling
from gptwright.serving.api_errors import CLIENT_GONE, Refusal, from_model
from gptwright.serving.choices import Choices, Numbered, Open, Replies
from gptwright.serving.response_format import Wording
from gptwright.serving.schemas import CompletionParams
from gptwright.serving.worker import Closed, Job, LineFull, Worker

T = TypeVar("T")
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


async def answer(
    request: Request,
    worker: "Worker[Numbered]",
    asked: CompletionParams,
    prompts: Sequence[Open],
    sampling: Sampling,
    wording: Wording,
) -> Response:
    """Runs the request and answers it, streamed or whole; `prompts` open the replies to each of them.

    Raises `Refusal`: 400 for what the model cannot take, 429 when too many wait, 499 when the caller has gone.
    """
    try:
        job = worker.submit(lambda: Replies(prompts, sampling))
    except LineFull as error:
        raise Refusal(429, f"{worker.waiting} requests are waiting; try again soon.", code="queue_full") from error
    except Closed as error:
        raise _stopping() from error
    head = {"id": wording.id, "created": int(time.time()), "model": asked.model}
    try:
        first = await _attended(request, anext(job), wording.given)
        gathered = Choices(sampling, len(prompts))
        gathered.add(first)
        if asked.stream:
            head["object"] = wording.part
            return _Events(_events(job, first, gathered, _Teller(wording, head, asked.wants_usage)), job)
        await _attended(request, _gather(job, gathered), wording.given)
    except BaseException:
        job.close()
        raise
    told = [wording.choice(i, made.text, made.finish, made.tokens) for i, made in enumerate(gathered.best())]
    return JSONResponse({**head, "object": wording.whole, "choices": told, "usage": gathered.usage()})


async def _gather(job: "Job[Numbered]", gathered: Choices) -> None:
    async for new in job:
        gathered.add(new)


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
    job: "Job[Numbered]", first: Sequence[Numbered], gathered: Choices, teller: "_Teller"
) -> AsyncIterator[bytes]:
    """Opening, pieces, end of each choice, usage when wanted, `[DONE]`. What is new at once is sent at once."""
    yield teller.openings(len(gathered.choices)) + teller.told(first)
    try:
        async for new in job:
            gathered.add(new)
            yield teller.told(new)
    except Exception as error:
        yield _event(_JSON.encode(_refusal(error, teller.wording.given).body()))
        return
    yield teller.end(gathered)


class _Teller:
    """Events of one answer. What they have in common is written once."""

    def __init__(self, wording: Wording, head: dict[str, Any], wants_usage: bool) -> None:
        self.wording, self.wants_usage = wording, wants_usage
        self._before = f'{_JSON.encode(head)[:-1]},"choices":['
        self._after = '],"usage":null}' if wants_usage else "]}"

    def openings(self, choices: int) -> bytes:
        found = [opening for index in range(choices) if (opening := self.wording.opening(index))]
        return b"".join(self._event(choice) for choice in found)

    def told(self, new: Sequence[Numbered]) -> bytes:
        return b"".join(self._event(choice) for numbered in new for choice in self._choices(*numbered))

    def end(self, gathered: Choices) -> bytes:
        usage = f'{self._before}],"usage":{_JSON.encode(gathered.usage())}}}'
        return (_event(usage) if self.wants_usage else b"") + b"data: [DONE]\n\n"

    def _choices(self, index: int, piece: Any) -> Iterator[dict[str, Any]]:
        if piece.text or piece.tokens:
            yield self.wording.delta(index, piece.text, None, piece.tokens)
        if piece.finish:
            yield self.wording.delta(index, "", piece.finish)

    def _event(self, choice: dict[str, Any]) -> bytes:
        return _event(f"{self._before}{_JSON.encode(choice)}{self._after}")


def _event(value: str) -> bytes:
    return b"data: " + value.encode("utf-8") + b"\n\n"


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
