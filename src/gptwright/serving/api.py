"""The server: OpenAI's routes, the chat page, the ratings. Everything it needs is given to `create_app`."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import ResourceError
from gptwright.foundations.progress import say
from gptwright.serving.api_errors import APIError
from gptwright.serving.choices import IndexedChunk
from gptwright.serving.completions import Completions
from gptwright.serving.feedback import FeedbackFile
from gptwright.serving.messages import to_chat_messages
from gptwright.serving.middleware import LOOPBACK, AccessMiddleware
from gptwright.serving.page import page_files, page_response
from gptwright.serving.request_body import read_json
from gptwright.serving.schemas import FeedbackRequest, check_model
from gptwright.serving.worker import Worker

if TYPE_CHECKING:
    from gptwright.pipelines.model import Model

READ = ["GET", "HEAD"]
"""methods of an address that is only read"""


def create_app(
    model: "Model",
    feedback: Path,
    *,
    examples: Sequence[str] = (),
    key: str | None = None,
    hosts: frozenset[str] | None = LOOPBACK,
) -> FastAPI:
    """The application that serves `model`.

    `feedback`: the JSON Lines file for ratings. `examples`: questions that the page offers. `key`: what a caller must
    send as `Authorization: Bearer KEY`. `hosts`: the names it answers to; None, for any, only makes sense with a key.
    `app.state.worker` runs the model; it is closed when the application ends.
    """
    worker: Worker[IndexedChunk] = Worker(model.engine.step, max_running=model.max_requests)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        worker.close()
        await run_in_threadpool(worker.join, 10.0)

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.worker = worker
    files = page_files()
    app.add_middleware(AccessMiddleware, key=key, hosts=hosts, open_paths=frozenset({*files, "/health"}))
    app.add_exception_handler(HTTPException, _not_routed)
    _add_page(app, files, examples)
    _add_models(app, model)
    completions = Completions(model, worker)
    app.add_api_route("/v1/chat/completions", completions.chat, methods=["POST"])
    app.add_api_route("/v1/completions", completions.text, methods=["POST"])
    _add_feedback(app, FeedbackFile(feedback), model.name)
    return app


def _add_page(app: FastAPI, files: dict[str, tuple[bytes, str]], examples: Sequence[str]) -> None:
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    async def offered() -> Response:
        return JSONResponse(list(examples))

    app.add_api_route("/health", health, methods=READ)
    app.add_api_route("/examples", offered, methods=READ)
    for path, file in files.items():
        app.add_api_route(path, partial(page_response, file), methods=READ)


def _add_models(app: FastAPI, model: "Model") -> None:
    own = model.sampling
    card = {"id": model.name, "object": "model", "created": int(time.time()), "owned_by": "gptwright",
            "max_model_len": model.context,
            "defaults": {"temperature": own.temperature, "top_p": own.top_p, "max_tokens": own.max_tokens}}  # fmt: skip

    async def models() -> Response:
        return JSONResponse({"object": "list", "data": [card]})

    async def one_model(name: str) -> Response:
        check_model(name, model.name)
        return JSONResponse(card)

    app.add_api_route("/v1/models", models, methods=READ)
    app.add_api_route("/v1/models/{name:path}", one_model, methods=READ)


def _add_feedback(app: FastAPI, store: FeedbackFile, model: str) -> None:
    @app.post("/feedback")
    async def rate(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        rated = FeedbackRequest.read(await read_json(request))
        try:
            id = await run_in_threadpool(store.add, to_chat_messages(rated.conversation), rated.rating, model, rated.id)
        except ResourceError as error:
            say(str(error))
            raise APIError(
                503, "The rating was not saved; the server's terminal says why.", code="not_saved"
            ) from error
        return JSONResponse({"id": id, "rating": rated.rating})


async def _not_routed(request: Request, error: Any) -> Response:
    if error.status_code == 405:
        allowed = ", ".join(sorted(error.headers["Allow"].split(", ")))
        message = f"{request.method} is not what this address answers to. It answers to {allowed}."
        return APIError(405, message, code="method_not_allowed", headers={"allow": allowed}).response()
    if error.status_code == 404:
        return APIError(404, "There is nothing at this address.", code="unknown_url").response()
    return APIError(error.status_code, str(error.detail)).response()
