"""The server: OpenAI's routes, the chat page, the thumbs. Everything it needs is given to `create_app`."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from gptwright.engine.sampling import Sampling
from gptwright.foundations.errors import GptwrightError, ResourceError
from gptwright.foundations.progress import say
from gptwright.serving.abreast import Numbered
from gptwright.serving.body import read_json
from gptwright.serving.feedback import FeedbackFile
from gptwright.serving.guard import LOOPBACK, Guard
from gptwright.serving.logprobs import spelled
from gptwright.serving.page import page_files, page_response
from gptwright.serving.refusals import Refusal, from_model
from gptwright.serving.replies import answer
from gptwright.serving.shapes import Asked, ChatRequest, CompletionRequest, FeedbackRequest, Message, check_model
from gptwright.serving.wordings import ChatWording, TextWording, Wording
from gptwright.serving.worker import Worker

if TYPE_CHECKING:
    from gptwright.generation.model import Model
    from gptwright.generation.stream import Stream
    from gptwright.tokenizers.chat import Message as Turn


def create_app(
    model: "Model",
    feedback: Path,
    *,
    examples: Sequence[str] = (),
    key: str | None = None,
    hosts: frozenset[str] | None = LOOPBACK,
) -> FastAPI:
    """The application that serves `model`.

    `feedback`: the JSON Lines file for thumbs. `examples`: questions that the page offers. `key`: what a caller must
    send as `Authorization: Bearer KEY`. `hosts`: the names it answers to; None, for any, only makes sense with a key.
    `app.state.worker` runs the model; it is closed when the application ends.
    """
    worker: Worker[Numbered] = Worker(model.engine.step, most=model.at_once)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        worker.close()
        await run_in_threadpool(worker.join, 10.0)

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.worker = worker
    files = page_files()
    app.add_middleware(Guard, key=key, hosts=hosts, open_paths=frozenset({*files, "/health"}))
    app.add_exception_handler(HTTPException, _not_routed)
    _add_page(app, files, examples)
    _add_models(app, model)
    _add_completions(app, model, worker)
    _add_feedback(app, FeedbackFile(feedback), model.name)
    return app


def _add_page(app: FastAPI, files: dict[str, tuple[bytes, str]], examples: Sequence[str]) -> None:
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    async def offered() -> Response:
        return JSONResponse(list(examples))

    app.add_api_route("/health", health, methods=["GET", "HEAD"])
    app.add_api_route("/examples", offered, methods=["GET"])
    for path, file in files.items():
        app.add_api_route(path, partial(page_response, file), methods=["GET", "HEAD"])


def _add_models(app: FastAPI, model: "Model") -> None:
    own = model.sampling
    card = {"id": model.name, "object": "model", "created": int(time.time()), "owned_by": "gptwright",
            "max_model_len": model.context,
            "defaults": {"temperature": own.temperature, "top_p": own.top_p, "max_tokens": own.max_tokens}}  # fmt: skip

    @app.get("/v1/models")
    async def models() -> Response:  # pyright: ignore[reportUnusedFunction]
        return JSONResponse({"object": "list", "data": [card]})

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        check_model(name, model.name)
        return JSONResponse(card)


def _add_completions(app: FastAPI, model: "Model", worker: Worker[Numbered]) -> None:
    spell = spelled(model.tokenizer)

    async def answered(
        request: Request, asked: Asked, wording: Wording, encode: Callable[[], list[int]], echo: str = ""
    ) -> Response:
        check_model(asked.model, model.name)
        sampling = asked.sampling(model.sampling, model.context, model.tokenizer.vocab)

        def read() -> list[int]:
            model.matcher(sampling, begins=wording.begins)  # a grammar is made, or refused, beside the running replies
            return encode()

        try:
            ids = await run_in_threadpool(read)
        except GptwrightError as error:
            raise from_model(error, wording.given) from error

        def open(sampling: Sampling, seed: int | None) -> "Stream":
            return model.open(ids, sampling, seed=seed, begins=wording.begins, echo=echo)

        return await answer(request, worker, asked, open, sampling, wording)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        asked = ChatRequest.read(await read_json(request))
        return await answered(request, asked, ChatWording(spell), partial(model.chat_ids, _turns(asked.messages)))

    @app.post("/v1/completions")
    async def complete(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        asked = CompletionRequest.read(await read_json(request))
        encode, echo = partial(model.text_ids, asked.prompt), asked.prompt if asked.echo else ""
        return await answered(request, asked, TextWording(spell), encode, echo)


def _add_feedback(app: FastAPI, store: FeedbackFile, model: str) -> None:
    @app.post("/feedback")
    async def rate(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        rated = FeedbackRequest.read(await read_json(request))
        try:
            id = await run_in_threadpool(store.add, _turns(rated.conversation), rated.thumb, model, rated.id)
        except ResourceError as error:
            say(str(error))
            raise Refusal(503, "The rating was not saved; the server's terminal says why.", code="not_saved") from error
        return JSONResponse({"id": id, "thumb": rated.thumb})


def _turns(messages: list[Message]) -> "list[Turn]":
    return [cast("Turn", message.plain()) for message in messages]


async def _not_routed(_: Request, error: Any) -> Response:
    message = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
    return Refusal(error.status_code, message).response()
