"""OpenAI's responses, stateless: a reply as items of output, whole or as named events."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import GptwrightError
from gptwright.serving.api_errors import api_error_of
from gptwright.serving.choices import Choice, ChoiceStreams, IndexedChunk, OpenStream
from gptwright.serving.jobs import begin, job_error, unless_disconnected
from gptwright.serving.logprobs import chat_logprobs, token_speller
from gptwright.serving.messages import to_chat_messages
from gptwright.serving.replies import JSON, EventStream
from gptwright.serving.request_body import read_json
from gptwright.serving.response_schemas import ResponseRequest, renamed
from gptwright.serving.schemas import ChatRequest
from gptwright.serving.served_models import ServedModel, ServedModels
from gptwright.serving.tool_calls import Call, CallParser
from gptwright.serving.worker import Job

if TYPE_CHECKING:
    from gptwright.inference.sampling import Sampling
    from gptwright.inference.stream import TokenLogprob

Output = list[dict[str, Any]]


class Responses:
    """Responses of any of the models that write."""

    def __init__(self, served: ServedModels) -> None:
        self.served = served

    async def respond(self, request: Request) -> Response:
        """A reply to what came before."""
        asked = ResponseRequest.read(await read_json(request))
        chat = asked.chat()
        served = self.served.writer(asked.model)
        model = served.model
        sampling = chat.sampling(model.sampling, model.context, model.tokenizer.vocab)
        try:
            opened = await run_in_threadpool(_opened, served, chat, sampling)
        except GptwrightError as error:
            raise renamed(api_error_of(error, "input", schema_field=chat.schema_field)) from error
        job = begin(served.worker, lambda: ChoiceStreams([opened], sampling))
        reply = Reply(asked, chat, served)
        try:
            first = await unless_disconnected(request, anext(job), "input")
            if asked.stream:
                return EventStream(_events(job, first, reply), job)
            reply.feed(first)
            await unless_disconnected(request, _collect(job, reply), "input")
        except BaseException:
            job.close()
            raise
        reply.finish()
        return JSONResponse(reply.fields(reply.output()))


def _opened(served: ServedModel, chat: ChatRequest, sampling: "Sampling") -> OpenStream:
    model, messages, tools = served.model, to_chat_messages(chat.messages), chat.shown
    model.matcher(sampling, starts_text=True)  # compiled, or refused, beside running requests
    shown = model.truncated(messages, sampling, tools) if chat.truncation == "auto" else messages
    return partial(model.open_stream, model.chat_ids(shown, tools))


async def _collect(job: Job[IndexedChunk], reply: "Reply") -> None:
    async for new in job:
        reply.feed(new)


class Reply:
    """A response as far as it is written: a message, if anything is said, and calls."""

    def __init__(self, asked: ResponseRequest, chat: ChatRequest, served: ServedModel) -> None:
        self.asked, self.spell = asked, token_speller(served.model.tokenizer)
        self.head = {"id": f"resp_{secrets.token_hex(12)}", "object": "response", "created_at": int(time.time()),
                     "model": served.name}  # fmt: skip
        self.message_id = f"msg_{secrets.token_hex(12)}"
        self.choice, self.parser = Choice(), CallParser([function.name for function in chat.callable])
        self.text = ""

    def feed(self, new: Sequence[IndexedChunk]) -> str:
        """The text that is new."""
        said = ""
        for _, chunk in new:
            self.choice.add(chunk)
            said += self.parser.feed(chunk.text)
        self.text += said
        return said

    def finish(self) -> str:
        """The rest of the text."""
        rest = self.parser.finish()
        self.text += rest
        return rest

    @property
    def has_message(self) -> bool:
        """Whether anything is said, or nothing is called."""
        return bool(self.text) or not self.parser.calls

    def logprobs(self, tokens: "Sequence[TokenLogprob]") -> list[Any]:
        """Of these tokens, if any were asked for."""
        return chat_logprobs(tokens, self.spell)["content"] if tokens else []

    def part(self) -> dict[str, Any]:
        """The message's only part."""
        return {"type": "output_text", "text": self.text, "annotations": [],
                "logprobs": self.logprobs(self.choice.tokens)}  # fmt: skip

    def message(self, status: str, content: Output) -> dict[str, Any]:
        """The item of the message."""
        return {"id": self.message_id, "type": "message", "status": status, "role": "assistant", "content": content}

    def output(self) -> Output:
        """Every item."""
        whole = "incomplete" if self.choice.finish == "length" else "completed"
        message = [self.message(whole, [self.part()])] if self.has_message else []
        return [*message, *map(_call_item, self.parser.calls)]

    def fields(self, output: Output | None = None) -> dict[str, Any]:
        """The response: at its beginning without, at its end with its output."""
        ended = output is not None
        status = ("incomplete" if self.choice.finish == "length" else "completed") if ended else "in_progress"
        read, written = self.choice.prompt_tokens, self.choice.completion_tokens
        usage = {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        }
        return {**self.head, "status": status, "error": None, "output": output or [],
                "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
                "usage": usage if ended else None, **self.asked.told_back()}  # fmt: skip


def _call_item(call: Call) -> dict[str, Any]:
    return {"id": f"fc_{call.id}", "type": "function_call", "status": "completed", "call_id": call.id,
            "name": call.name, "arguments": call.arguments}  # fmt: skip


async def _events(job: Job[IndexedChunk], first: Sequence[IndexedChunk], reply: Reply) -> AsyncIterator[bytes]:
    events = _Events(reply)
    yield b"".join([events.event("response.created", response=reply.fields()),
                    events.event("response.in_progress", response=reply.fields())])  # fmt: skip
    try:
        yield events.said(reply.feed(first), first)
        async for new in job:
            yield events.said(reply.feed(new), new)
    except Exception as error:
        failed = job_error(error, "input")
        yield events.event("error", code=failed.code, message=failed.message, param=failed.param)
        return
    yield events.said(reply.finish(), ()) + b"".join(events.end())


class _Events:
    """Named events, numbered."""

    def __init__(self, reply: Reply) -> None:
        self.reply, self.number, self.begun = reply, 0, False

    def event(self, kind: str, **fields: object) -> bytes:
        value = JSON.encode({"type": kind, "sequence_number": self.number, **fields})
        self.number += 1
        return f"event: {kind}\ndata: {value}\n\n".encode()

    def said(self, text: str, new: Sequence[IndexedChunk]) -> bytes:
        """What the message says next; it begins with the first text."""
        tokens = [token for _, chunk in new for token in chunk.tokens]
        if not text:
            return b""
        begin = b"" if self.begun else b"".join(self._begin())
        return begin + self.event("response.output_text.delta", **self._place(), delta=text,
                                  logprobs=self.reply.logprobs(tokens))  # fmt: skip

    def end(self) -> Iterator[bytes]:
        reply = self.reply
        output = reply.output()
        if reply.has_message:
            yield from () if self.begun else self._begin()
            part = reply.part()
            yield self.event("response.output_text.done", **self._place(), text=reply.text, logprobs=part["logprobs"])
            yield self.event("response.content_part.done", **self._place(), part=part)
            yield self.event("response.output_item.done", output_index=0, item=output[0])
        for index, item in enumerate(output):
            if item["type"] == "function_call":
                yield from self._call(index, item)
        name = "response.incomplete" if reply.choice.finish == "length" else "response.completed"
        yield self.event(name, response=reply.fields(output))

    def _begin(self) -> Iterator[bytes]:
        self.begun = True
        yield self.event("response.output_item.added", output_index=0, item=self.reply.message("in_progress", []))
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield self.event("response.content_part.added", **self._place(), part=part)

    def _call(self, index: int, item: dict[str, Any]) -> Iterator[bytes]:
        place = {"item_id": item["id"], "output_index": index}
        begun = item | {"status": "in_progress", "arguments": ""}
        yield self.event("response.output_item.added", output_index=index, item=begun)
        yield self.event("response.function_call_arguments.delta", **place, delta=item["arguments"])
        yield self.event(
            "response.function_call_arguments.done", **place, name=item["name"], arguments=item["arguments"]
        )
        yield self.event("response.output_item.done", output_index=index, item=item)

    def _place(self) -> dict[str, Any]:
        return {"item_id": self.reply.message_id, "output_index": 0, "content_index": 0}
