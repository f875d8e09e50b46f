"""A model's pieces as OpenAI's answers: one JSON object, or server-sent events as the tokens come."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gptwright.inference.sampling import Sampling
from gptwright.serving.choices import Choice, Choices, ChoiceStreams, IndexedChunk, OpenStream
from gptwright.serving.completion_params import CompletionParams
from gptwright.serving.jobs import begin, job_error, unless_disconnected
from gptwright.serving.response_format import ResponseEncoder
from gptwright.serving.worker import Job, Worker

Keep = Callable[[Sequence[Choice]], Awaitable[None]]
"""keeps a request's replies"""
JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


async def respond(
    request: Request,
    worker: "Worker[IndexedChunk]",
    asked: CompletionParams,
    prompts: Sequence[OpenStream],
    sampling: Sampling,
    encoder: ResponseEncoder,
    keep: Keep | None = None,
) -> Response:
    """Runs the request and answers it, streamed or whole; `prompts` open the replies to each of them. What is to be
    kept of the replies is kept before their end is told.

    Raises `APIError`: 400 for what the model cannot take, 429 when too many wait, 499 when the caller has gone.
    """
    job = begin(worker, lambda: ChoiceStreams(prompts, sampling))
    head = {"id": encoder.id, "created": int(time.time()), "model": asked.model, **asked.told_back}
    try:
        first = await unless_disconnected(request, anext(job), encoder.prompt_field)
        choices = Choices(sampling, len(prompts))
        choices.add(first)
        if asked.stream:
            head["object"] = encoder.chunk_name
            events = _events(job, first, choices, _SSEEncoder(encoder, head, asked.wants_usage), keep)
            return EventStream(events, job)
        await unless_disconnected(request, _collect(job, choices), encoder.prompt_field)
        if keep:
            await keep(choices.best())
    except BaseException:
        job.close()
        raise
    encode = [encoder.choice(i, made.text, made.finish, made.tokens) for i, made in enumerate(choices.best())]
    return JSONResponse({**head, "object": encoder.object_name, "choices": encode, "usage": choices.usage()})


async def _collect(job: "Job[IndexedChunk]", choices: Choices) -> None:
    async for new in job:
        choices.add(new)


async def _events(
    job: "Job[IndexedChunk]",
    first: Sequence[IndexedChunk],
    choices: Choices,
    encoder: "_SSEEncoder",
    keep: Keep | None,
) -> AsyncIterator[bytes]:
    """Opening, pieces, end of each choice, usage when wanted, `[DONE]`. What is new at once is sent at once."""
    yield encoder.first_chunks(len(choices.choices)) + encoder.encode(first)
    try:
        async for new in job:
            choices.add(new)
            yield encoder.encode(new)
        if keep:
            await keep(choices.best())
    except Exception as error:
        yield event_of(JSON.encode(job_error(error, encoder.encoder.prompt_field).body()))
        return
    yield encoder.end(choices)


class _SSEEncoder:
    """Events of one answer. What they have in common is written once."""

    def __init__(self, encoder: ResponseEncoder, head: Mapping[str, object], wants_usage: bool) -> None:
        self.encoder, self.wants_usage = encoder, wants_usage
        self._before = f'{JSON.encode(head)[:-1]},"choices":['
        self._after = '],"usage":null}' if wants_usage else "]}"

    def first_chunks(self, choices: int) -> bytes:
        found = [first_chunk for index in range(choices) if (first_chunk := self.encoder.first_chunk(index))]
        return b"".join(self._event(choice) for choice in found)

    def encode(self, new: Sequence[IndexedChunk]) -> bytes:
        return b"".join(self._event(choice) for numbered in new for choice in self._choices(*numbered))

    def end(self, choices: Choices) -> bytes:
        usage = f'{self._before}],"usage":{JSON.encode(choices.usage())}}}'
        return (event_of(usage) if self.wants_usage else b"") + b"data: [DONE]\n\n"

    def _choices(self, index: int, chunk: Any) -> Iterator[dict[str, Any]]:
        if chunk.text or chunk.tokens:
            yield from self.encoder.deltas(index, chunk.text, chunk.tokens)
        if chunk.finish:
            yield from self.encoder.last_deltas(index, chunk.finish)

    def _event(self, choice: dict[str, Any]) -> bytes:
        return event_of(f"{self._before}{JSON.encode(choice)}{self._after}")


def event_of(value: str) -> bytes:
    """A server-sent event."""
    return b"data: " + value.encode("utf-8") + b"\n\n"


class EventStream(StreamingResponse):
    """Server-sent events that let go of their job however they end."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], job: "Job[IndexedChunk]") -> None:
        super().__init__(events)
        self.job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.job.close()
