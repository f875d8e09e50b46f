"""llama.cpp's routes, for editors: /infill writes what stands at the cursor, /completion goes on with a text.

llama.vim asks the first and continue.dev the second. An editor sends what it has, and of that as much is read as the
context holds: what stands nearest to the cursor.
"""

import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.serving.api_errors import api_error_of
from gptwright.serving.choices import Choice, ChoiceStreams, IndexedChunk, OpenStream
from gptwright.serving.completions import untaught
from gptwright.serving.fields import RequestFields, refuse
from gptwright.serving.jobs import begin, job_error, unless_disconnected
from gptwright.serving.replies import JSON, EventStream, event_of
from gptwright.serving.request_body import read_json
from gptwright.serving.schemas import UNLIMITED, CompletionRequest
from gptwright.serving.served_models import ServedModel, ServedModels
from gptwright.serving.worker import Job
from gptwright.tokenizers.fill_in_the_middle import read_template

DRAWING = ("temperature", "top_k", "top_p", "min_p", "presence_penalty", "frequency_penalty", "seed")
"""fields that OpenAI's routes have too"""
SAMPLERS: Mapping[str, Mapping[str, float]] = {
    "temperature": {"temperature": 1.0}, "top_k": {"top_k": 0}, "top_p": {"top_p": 1.0}, "min_p": {"min_p": 0.0},
    "penalties": {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0},
}  # fmt: skip
"""what is off when a request lists its samplers without this one"""
Count = Annotated[int, Field(ge=-1, le=UNLIMITED)]


class OtherText(RequestFields):
    """A piece of another file that is open. Its time, in whatever unit the editor has, changes nothing."""

    text: str
    filename: str | None = None
    time: object = None


class EditorRequest(RequestFields):
    """What both routes take. The cache of prompts is always on; a prompt's time is not limited, in llama.cpp neither.
    The sampler "infill" is passed over."""

    model: str | None = None
    """llama.vim sends an empty one"""
    prompt: str = ""
    n_predict: Count = -1
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = Field(None, gt=0, le=100)
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: list[str] | None = None
    stream: bool = False
    samplers: list[Literal["temperature", "top_k", "top_p", "min_p", "penalties", "infill"]] | None = None
    n_indent: Annotated[int, Field(ge=0, le=UNLIMITED)] = 0
    """the answer ends before a line that is indented by less"""
    t_max_predict_ms: Count = 0
    """so long after its first piece the answer ends, when it has a whole line"""
    response_fields: list[str] | None = None
    id_slot: Count = -1
    cache_prompt: bool = True
    t_max_prompt_ms: Count = 0
    mirostat: Annotated[int, Field(ge=0, le=0)] | None = None

    @model_validator(mode="after")
    def _lines_are_whole(self) -> Self:
        if self.stream and self.n_indent:
            refuse("n_indent", "may not be given together with stream = true: what was told cannot be taken back")
        return self

    def completion(self, name: str) -> CompletionRequest:
        """The same in OpenAI's words. Raises `APIError` as those do."""
        given = {name: getattr(self, name) for name in DRAWING} | {"repetition_penalty": self.repeat_penalty}
        for sampler, off in SAMPLERS.items():
            given |= off if self.samplers is not None and sampler not in self.samplers else {}
        return CompletionRequest.read({"model": name, "prompt": self.prompt, "stop": self.stop or None, **given,
                                       "max_tokens": UNLIMITED if self.n_predict < 0 else self.n_predict})  # fmt: skip


class InfillRequest(EditorRequest):
    """POST /infill. `prompt` is what stands on the line before the cursor."""

    input_prefix: str
    input_suffix: str
    input_extra: list[OtherText] = Field(default_factory=list[OtherText])


class LlamaCpp:
    """llama.cpp's two ways to complete, by any of the models that are served."""

    def __init__(self, served: ServedModels) -> None:
        self.served = served

    async def infill(self, request: Request) -> Response:
        """What stands between two texts."""
        asked = InfillRequest.read(await read_json(request))
        others = [other.text for other in asked.input_extra]
        hole = asked.input_prefix + asked.prompt, asked.input_suffix
        return await self._respond(request, asked, hole, others, "input_suffix")

    async def complete(self, request: Request) -> Response:
        """What follows a text, or what stands in its hole where the editor has put sentinels around it."""
        asked = EditorRequest.read(await read_json(request))
        return await self._respond(request, asked, read_template(asked.prompt), [], "prompt")

    async def _respond(
        self, request: Request, asked: EditorRequest, hole: tuple[str, str] | None, others: list[str], field: str
    ) -> Response:
        served = self.served.writer(asked.model or None)
        if hole and not served.model.inserts:
            raise untaught(served, "insert", field)
        model = served.model
        sampling = asked.completion(served.name).sampling(model.sampling, model.context, model.tokenizer.vocab)
        try:
            opened, cut = await run_in_threadpool(_opened, served, asked, hole, others, sampling)
        except GptwrightError as error:
            raise api_error_of(error, field) from error
        job = begin(served.worker, lambda: ChoiceStreams([opened], sampling))
        reply = Reply(asked, cut=cut)
        try:
            reply.add(await unless_disconnected(request, anext(job), field))
            if asked.stream:
                return EventStream(_events(job, reply, field), job)
            await unless_disconnected(request, _collect(job, reply), field)
        except BaseException:
            job.close()
            raise
        job.close()
        return JSONResponse(_chosen(reply.fields(), asked.response_fields))


def _opened(
    served: ServedModel, asked: EditorRequest, hole: tuple[str, str] | None, others: list[str], sampling: Sampling
) -> tuple[OpenStream, bool]:
    """What opens the reply, and whether the context could not hold all that was sent."""
    model = served.model
    if hole is None:
        return partial(model.open_stream, model.text_ids(asked.prompt), starts_text=False), False
    ids, cut = model.insertion_ids(*hole, others, sampling)
    return partial(model.open_hole, ids), cut


class Reply:
    """An answer as far as it is written, and the time that it took."""

    def __init__(self, asked: EditorRequest, *, cut: bool) -> None:
        self.asked, self.cut = asked, cut
        self.choice = Choice()
        self.began = self.first = self.last = time.monotonic()

    def add(self, new: list[IndexedChunk]) -> str:
        """The text that is new."""
        before = len(self.choice.text)
        for _, chunk in new:
            self.choice.add(chunk)
        self.last = time.monotonic()
        self.first = self.last if self.first == self.began else self.first
        return self.choice.text[before:]

    @property
    def enough(self) -> bool:
        """Whether no more is wanted of it than it has: by its end, by the clock, or by its indentation."""
        written, most = self.choice.text, self.asked.t_max_predict_ms
        late = most > 0 and "\n" in written and (self.last - self.first) * 1000 > most
        return bool(self.choice.finish) or late or indented(written, self.asked.n_indent) != written

    def fields(self) -> dict[str, object]:
        """The whole answer in llama.cpp's words."""
        written = self.choice
        timings = {**_timings("prompt", written.prompt_tokens, self.first - self.began),
                   **_timings("predicted", written.completion_tokens, self.last - self.first)}  # fmt: skip
        return {"content": indented(written.text, self.asked.n_indent), "stop": True,
                "stop_type": "eos" if written.finish == "stop" else "limit", "truncated": self.cut,
                "tokens_evaluated": written.prompt_tokens, "tokens_predicted": written.completion_tokens,
                "timings": timings}  # fmt: skip


def indented(text: str, least: int) -> str:
    """Up to the first line, after the one at the cursor, that is indented by fewer blanks."""
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        if line.strip() and len(line) - len(line.lstrip()) < least:
            return "\n".join(lines[:number])
    return text


async def _collect(job: Job[IndexedChunk], reply: Reply) -> None:
    async for new in job:
        reply.add(new)
        if reply.enough:
            return


async def _events(job: Job[IndexedChunk], reply: Reply, field: str) -> AsyncIterator[bytes]:
    """Pieces, and in the end the answer's fields, without the text that was told."""
    try:
        yield _piece(reply.choice.text)
        async for new in job:
            yield _piece(reply.add(new))
            if reply.enough:
                break
    except Exception as error:
        yield event_of(JSON.encode(job_error(error, field).body()))
        return
    yield event_of(JSON.encode(reply.fields() | {"content": ""}))


def _piece(text: str) -> bytes:
    return event_of(JSON.encode({"content": text, "stop": False}))


def _timings(what: str, tokens: int, seconds: float) -> dict[str, object]:
    milliseconds = max(seconds * 1000, 0.001)
    return {f"{what}_n": tokens, f"{what}_ms": milliseconds, f"{what}_per_token_ms": milliseconds / max(tokens, 1),
            f"{what}_per_second": tokens * 1000 / milliseconds}  # fmt: skip


def _chosen(fields: Mapping[str, object], paths: list[str] | None) -> dict[str, object]:
    """The fields at these paths, such as timings/prompt_n, each by its path; those that are not there are left out."""
    if paths is None:
        return dict(fields)
    found: dict[str, object] = {}
    for path in paths:
        value: object = fields
        for name in path.split("/"):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            found[path] = value
    return found
