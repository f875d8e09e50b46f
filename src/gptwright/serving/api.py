"""The server: OpenAI's routes, llama.cpp's, the chat page, the ratings. Everything is given to `create_app`."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import Door, admit, caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.completions import Completions
from gptwright.serving.embeddings import Embeddings
from gptwright.serving.llama_cpp import LlamaCpp
from gptwright.serving.messages import to_chat_messages
from gptwright.serving.metrics import Metrics, MetricsMiddleware, Requests
from gptwright.serving.middleware import LOOPBACK, AccessMiddleware
from gptwright.serving.model_cards import ModelCards
from gptwright.serving.moderations import Moderations
from gptwright.serving.openapi import openapi_document
from gptwright.serving.page import page_files, page_response
from gptwright.serving.password_checks import PasswordChecks
from gptwright.serving.request_body import read_json
from gptwright.serving.responses import Responses
from gptwright.serving.routes.answer_inside import AnswerInside
from gptwright.serving.routes.answer_tokens import AnswerTokens
from gptwright.serving.routes.answers import Answers
from gptwright.serving.routes.branches import Branches
from gptwright.serving.routes.conversations import Conversations
from gptwright.serving.routes.jobs import Improving, Jobs
from gptwright.serving.routes.label_files import LabelFiles
from gptwright.serving.routes.labelling import Labelling
from gptwright.serving.routes.labels import Labels
from gptwright.serving.routes.logins import OPEN, Logins
from gptwright.serving.routes.people import People
from gptwright.serving.routes.tasks import Tasks
from gptwright.serving.routes.teaching import Teaching
from gptwright.serving.routes.written_answers import WrittenAnswers
from gptwright.serving.schemas import FeedbackRequest
from gptwright.serving.served_models import Origin, ServedModels
from gptwright.serving.transactions import Transactions
from gptwright.store.database import Store
from gptwright.store.labels import annotate
from gptwright.store.messages import keep_turns
from gptwright.store.passwords import an_owner_has_one

if TYPE_CHECKING:
    from gptwright.pipelines.model import Model
    from gptwright.pipelines.sequence_scorer import SequenceScorer

READ = ["GET", "HEAD"]
"""methods of an address that is only read"""


def create_app(
    models: "Mapping[str, Model]",
    store: Store,
    *,
    classifiers: "Mapping[str, SequenceScorer] | None" = None,
    origins: Mapping[str, Origin] | None = None,
    examples: Sequence[str] = (),
    keys: Mapping[str, str] | None = None,
    hosts: frozenset[str] | None = LOOPBACK,
    improving: Improving | None = None,
) -> FastAPI:
    """The application that serves `models` that write, by name, of which the first is the page's, and `classifiers`.

    `store`: where conversations and labels are kept; who gave it closes it. `origins`: what is known of where each
    comes from, by its name. `examples`: questions that the page offers. `keys`: API keys by name, one of which a caller
    must send as `Authorization: Bearer KEY`, unless the store knows them. `hosts`: the names it answers to; None, for
    any, needs a key or a login of everybody. `improving`: how the first model is made better. `app.state.workers` run
    the models; they are closed when the application ends.
    """
    served = ServedModels(models, classifiers or {}, origins or {})
    transactions = Transactions(store)
    answers, jobs = Answers(transactions, served), Jobs(transactions, served, improving)
    app = FastAPI(lifespan=_lifespan(served, answers, jobs), openapi_url=None, docs_url=None, redoc_url=None,
                  redirect_slashes=False, dependencies=[Depends(admit)])  # fmt: skip
    app.state.workers = served.workers
    files = page_files()
    app.state.door = Door(bool(keys) or hosts is None or _has_owner_with_password(store))
    _add_access(app, transactions, keys or {}, hosts, files)
    app.add_exception_handler(HTTPException, _not_routed)
    _add_metrics(app, served)
    _add_page(app, files, examples)
    _add_answers(app, served, transactions)
    _add_feedback(app, transactions, served)
    cards = ModelCards(served, improving.versions if improving else list)
    for routes in (cards, answers, jobs, Teaching(transactions, improving)):
        routes.add_to(app)
    _add_conversations(app, transactions, answers)
    _add_people(app, transactions, frozenset(keys or {}))
    return app


def _add_access(
    app: FastAPI, store: Transactions, keys: Mapping[str, str], hosts: frozenset[str] | None, files: Iterable[str]
) -> None:
    app.state.open_paths = frozenset({*files, "/health", *OPEN})
    app.add_middleware(AccessMiddleware, keys=keys, find=store.admitted, find_login=store.logged_in,
                       door=app.state.door, hosts=hosts, open_paths=app.state.open_paths)  # fmt: skip


def _has_owner_with_password(store: Store) -> bool:
    with store.read() as session:
        return an_owner_has_one(session)


def _add_conversations(app: FastAPI, store: Transactions, answers: Answers) -> None:
    written = WrittenAnswers(store, answers.served)
    talks = Conversations(store, answers.live), Branches(store, answers.live)
    labels = Labels(store), Tasks(store), Labelling(store), LabelFiles(store)
    for routes in (*talks, AnswerTokens(written), AnswerInside(written), *labels):
        routes.add_to(app)


def _add_people(app: FastAPI, store: Transactions, reserved: frozenset[str]) -> None:
    checks = PasswordChecks(store)
    People(store, reserved, checks, app.state.door).add_to(app)
    Logins(store, checks, app.state.door).add_to(app)


def _lifespan(
    served: ServedModels, answers: Answers, jobs: Jobs
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Jobs that were left are looked after; at the end answers that nobody may be reading are written to their end, or
    as far as they are when their model is closed, and kept."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        await jobs.begin()
        yield
        await jobs.close()
        await answers.live.drain()
        for worker in served.workers:
            worker.close()
        for worker in served.workers:
            await run_in_threadpool(worker.join, 10.0)

    return lifespan


def _add_metrics(app: FastAPI, served: ServedModels) -> None:
    requests = Requests()
    app.add_middleware(MetricsMiddleware, requests=requests)
    app.add_api_route("/metrics", Metrics(served, requests).show, methods=READ)


def _add_page(app: FastAPI, files: dict[str, tuple[bytes, str]], examples: Sequence[str]) -> None:
    async def health() -> Response:
        """Whether the server is there."""
        return JSONResponse({"status": "ok"})

    @cache  # once all routes are there
    def document() -> dict[str, Any]:
        return openapi_document([route for route in app.routes if isinstance(route, APIRoute)
                                 and route.path not in files])  # fmt: skip

    async def openapi() -> Response:
        """This document."""
        return JSONResponse(document())

    async def offered() -> Response:
        """Questions that the page offers."""
        return JSONResponse(list(examples))

    app.add_api_route("/health", health, methods=READ)
    app.add_api_route("/openapi.json", openapi, methods=READ)
    app.add_api_route("/examples", offered, methods=READ)
    for path, file in files.items():
        app.add_api_route(path, partial(page_response, file), methods=READ)


def _add_answers(app: FastAPI, served: ServedModels, store: Transactions) -> None:
    completions, llama_cpp = Completions(served, store), LlamaCpp(served)
    routes = {
        "/v1/chat/completions": completions.chat, "/v1/completions": completions.text, "/v1/edits": completions.edit,
        "/v1/responses": Responses(served).respond, "/v1/embeddings": Embeddings(served).embed,
        "/v1/moderations": Moderations(served).moderate,
        "/completion": llama_cpp.complete, "/infill": llama_cpp.infill,
    }  # fmt: skip
    for path, answer in routes.items():
        app.add_api_route(path, answer, methods=["POST"])


def _add_feedback(app: FastAPI, store: Transactions, served: ServedModels) -> None:
    @app.post("/feedback")
    async def rate(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        """A thumb for an answer."""
        rated = FeedbackRequest.read(await read_json(request))
        model, user = served.writer(rated.model).name, caller_of(request).name

        def keep(session: Session) -> str:
            message_id = keep_turns(session, to_chat_messages(rated.conversation), owner=user, model=model)
            return annotate(session, "thumb", message_id, rated.rating, author=user, id=rated.id).id

        return JSONResponse({"id": await store.write(keep), "rating": rated.rating})


async def _not_routed(request: Request, error: Any) -> Response:
    if error.status_code == 405:
        allowed = ", ".join(sorted(_methods_of(request)))
        message = f"{request.method} is not what this address answers to. It answers to {allowed}."
        return APIError(405, message, code="method_not_allowed", headers={"allow": allowed}).response()
    if error.status_code == 404:
        return APIError(404, "There is nothing at this address.", code="unknown_url").response()
    return APIError(error.status_code, str(error.detail)).response()


def _methods_of(request: Request) -> set[str]:
    """All that the address of a request answers to: several routes may have one address."""
    routes = [route for route in request.app.routes if isinstance(route, APIRoute)]
    return {method for route in routes if route.path_regex.match(request.url.path) for method in route.methods or ()}
