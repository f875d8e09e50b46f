"""Jobs over HTTP: an improvement of the model from what people said, followed, cancelled, taken back."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import GptwrightError
from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import RequestFields
from gptwright.serving.job_processes import end_lost_jobs, run_process
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.views import View
from gptwright.serving.served_models import Origin, ServedModels
from gptwright.serving.transactions import Transactions
from gptwright.store.jobs import OPEN, add_job, cancel_job, end_job, take_job
from gptwright.store.tables import Job

if TYPE_CHECKING:
    from gptwright.pipelines.model import Model

KINDS = ("improve", "undo")
SHOWN = 100
"""jobs in a list"""
SAYS = "gptwright: "
"""stands before the error of a command"""
INSIDE = ("server", "process")
"""of a job's progress: for the server alone"""


@dataclass(frozen=True)
class InUse:
    """The model that is in use now: its name, a way to open it, and where it comes from."""

    name: str
    load: "Callable[[], Model]"
    origin: Origin


@dataclass(frozen=True)
class Improving:
    """How the server's model is improved. `command`: of what was asked, a program and its words. `least`: rankings that
    it needs. `outcome`: of the last lines that an improvement wrote, what came of it, empty where nothing did.
    `prompts`: what the run's models were asked. `may_undo`: whether there is an improvement to take back. `versions`:
    which models took another's place, the latest first."""

    command: Callable[[Mapping[str, Any]], list[str]]
    in_use: Callable[[], InUse]
    least: int
    outcome: Callable[[Sequence[str]], Mapping[str, Any]]
    prompts: Callable[[], Sequence[str]]
    may_undo: Callable[[], bool]
    versions: Callable[[], Sequence[Mapping[str, Any]]] = list


class JobRequest(RequestFields):
    """POST /api/jobs. `undo` goes back to the model before the last improvement; the rest is for `improve`."""

    kind: Literal["improve", "undo"]
    minutes: float = Field(3.0, gt=0, le=240)
    method: Literal["auto", "dpo", "ppo"] = "auto"
    threads: int = Field(2, ge=1, le=256)
    seed: int = Field(1, ge=0, lt=1 << 32)


class Jobs:
    """The routes of `/api/jobs`. One job runs at a time; others wait."""

    def __init__(self, store: Transactions, served: ServedModels, improving: Improving | None) -> None:
        self.store, self.served, self.improving = store, served, improving
        self._working: asyncio.Task[None] | None = None

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/jobs", self.list, methods=["GET"])
        app.add_api_route("/api/jobs", self.ask, methods=["POST"])
        app.add_api_route("/api/jobs/{id}", self.get, methods=["GET"])
        app.add_api_route("/api/jobs/{id}/cancel", self.cancel, methods=["POST"])

    async def begin(self) -> None:
        """When the server starts: what another one left behind is ended, or goes on waiting here."""
        await self.store.write(end_lost_jobs)
        if self.improving:
            self._wake()

    async def close(self) -> None:
        """Ends the job that runs; it is marked so."""
        if self._working:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def list(self, request: Request) -> Response:
        """The latest first, without what takes room: samples and the last lines."""
        latest = select(Job).order_by(Job.number.desc()).limit(SHOWN)
        found = await self.store.read(lambda session: [_brief(job) for job in session.scalars(latest)])
        return JSONResponse({"jobs": found})

    async def ask(self, request: Request) -> Response:
        """A job, which runs as soon as those before it have ended. Asked for while one is open, that one is told."""
        asked, owner = JobRequest.read(await read_json(request)), caller_of(request).name
        if self.improving is None:
            raise APIError(400, "This server was started without a run to improve.", code="no_run")

        def added(session: Session) -> View:
            same = select(Job).where(Job.kind == asked.kind, Job.state.in_(OPEN)).limit(1)
            job = session.scalar(same) or add_job(session, asked.kind, asked.model_dump(), owner=owner)
            return _view(job)

        view = await self.store.write(added)
        self._wake()
        return JSONResponse(view, 202)

    async def get(self, request: Request, id: str) -> Response:
        """How far it is, and what came of it."""
        return JSONResponse(await self.store.read(lambda session: _view(_find(session, id))))

    async def cancel(self, request: Request, id: str) -> Response:
        """Ends it, if it has not ended. What an improvement has saved is gone on with by the next."""

        def cancelled(session: Session) -> View:
            _find(session, id)
            cancel_job(session, id)
            return _view(_find(session, id))

        return JSONResponse(await self.store.write(cancelled))

    def _wake(self) -> None:
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        def taken(session: Session) -> tuple[str, dict[str, Any]] | None:
            job = take_job(session, KINDS)
            return (job.id, job.asked) if job else None

        while job := await self.store.write(taken):
            await self._do(*job)

    async def _do(self, id: str, asked: Mapping[str, Any]) -> None:
        assert self.improving
        state, result = "failed", {"error": "The server stopped."}
        try:
            ended = await run_process(self.store, id, self.improving.command(asked))
            if ended:
                state, result = "done" if ended["code"] == 0 else "failed", ended
                if ended["code"]:
                    result["error"] = _why(ended["lines"])
                result["outcome"] = dict(await run_in_threadpool(self.improving.outcome, ended["lines"]))
                result["model"] = await self._follow_promotion()
        except (GptwrightError, OSError) as error:
            result = {"error": str(error)}
        finally:
            await asyncio.shield(self.store.write(lambda session: end_job(session, id, state, result)))

    async def _follow_promotion(self) -> str:
        """Serves the model that is in use now as the first; its name."""
        assert self.improving
        now = await run_in_threadpool(self.improving.in_use)
        if now.name not in self.served.writers:
            self.served.add(now.name, await run_in_threadpool(now.load), now.origin)
        self.served.put_first(now.name)
        return now.name


def _why(lines: Sequence[str]) -> str:
    """What a command said when it failed: its error of three parts, or else its last line."""
    start = max((at for at, line in enumerate(lines) if line.startswith(SAYS)), default=len(lines) - 1)
    return "\n".join(lines[start:] if lines else ()).removeprefix(SAYS)


def _find(session: Session, id: str) -> Job:
    found = session.scalar(select(Job).where(Job.id == id).execution_options(populate_existing=True))
    if found is None:
        raise APIError(404, "There is no such job.", code="not_found")
    return found


def _view(job: Job) -> View:
    names = ("id", "kind", "owner", "state", "asked", "result", "created", "changed")
    progress = {name: value for name, value in job.progress.items() if name not in INSIDE}
    return {name: getattr(job, name) for name in names} | {"progress": progress}


def _brief(job: Job) -> View:
    view = _view(job)
    outcome = {name: value for name, value in view["result"].get("outcome", {}).items() if name != "samples"}
    result = {name: value for name, value in view["result"].items() if name != "lines"}
    return view | {"result": result | ({"outcome": outcome} if "outcome" in result else {})}
