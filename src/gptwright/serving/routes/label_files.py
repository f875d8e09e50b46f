"""Labels as files: exports, imports, and the page that labels without a server."""

import json
from collections.abc import Iterable
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import OWNER, caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import RequestFields
from gptwright.serving.offline_page import offline_page
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.labelling import numbered
from gptwright.serving.routes.task_views import task_view
from gptwright.serving.routes.tasks import Kind
from gptwright.serving.routes.views import View
from gptwright.serving.transactions import Transactions
from gptwright.store.exports import FORMATS
from gptwright.store.import_lines import READERS
from gptwright.store.offline_lines import take_offline
from gptwright.store.tasks import take_several

MOST_LINES = 5000
"""that are taken in at once"""
TAKEN_IN = {name: reader for name, reader in READERS.items() if name != "rows"}  # those fill an empty store


class Lines(RequestFields):
    """POST /api/imports/FORMAT, POST /api/tasks/merge: all of them, or none."""

    lines: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_LINES)


class OfflinePage(RequestFields):
    """POST /api/tasks/offline. `days`: how long the tasks are the labeller's."""

    tasks: int = Field(50, ge=1, le=500)
    days: float = Field(7, gt=0, le=60)
    kinds: list[Kind] = Field([], max_length=10)
    language: Literal["en", "zh"] = "en"


class LabelFiles:
    """The routes of files of labels."""

    def __init__(self, store: Transactions) -> None:
        self.store = store

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/exports/{format}", self.export, methods=["GET"])
        app.add_api_route("/api/imports/{format}", self.take_in, methods=["POST"])
        app.add_api_route("/api/tasks/offline", self.offline, methods=["POST"])
        app.add_api_route("/api/tasks/merge", self.merge, methods=["POST"])

    async def export(self, request: Request, format: str) -> Response:
        """JSON Lines. The formats are those of `gptwright store export`."""
        if format not in FORMATS:
            raise _no_format(format, FORMATS)

        def text(session: Session) -> str:
            return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in FORMATS[format](session))

        return _file(await self.store.read(text), f"{format}.jsonl", "application/x-ndjson")

    async def take_in(self, request: Request, format: str) -> Response:
        """Lines of a format; `taken`: how many were not there before."""
        if format not in TAKEN_IN:
            raise _no_format(format, TAKEN_IN)
        lines = numbered(Lines.read(await read_json(request)).lines)
        return JSONResponse(
            {"taken": await self.store.write(lambda session: TAKEN_IN[format](session, lines), param="lines")}
        )

    async def offline(self, request: Request) -> Response:
        """One page with tasks inside, which are the caller's meanwhile. It labels without a server, and keeps a file of
        what was said, for `merge`."""
        asked, labeller = OfflinePage.read(await read_json(request)), caller_of(request).name

        def taken(session: Session) -> list[View]:
            found = take_several(session, labeller, asked.tasks, seconds=asked.days * 86_400, kinds=asked.kinds)
            return [task_view(session, task, labeller) for task in found]

        page = offline_page({"labeller": labeller, "tasks": await self.store.write(taken)}, asked.language)
        return _file(page, "label.html", "text/html; charset=utf-8")

    async def merge(self, request: Request) -> Response:
        """Lines of the offline page; `taken`: how many said something new. Others' lines an owner alone brings."""
        lines, caller = numbered(Lines.read(await read_json(request)).lines), caller_of(request)
        if not caller.may(OWNER) and any(line.get("labeller") != caller.name for line in lines):
            raise APIError(403, "These are another labeller's lines.", code="role_not_allowed")
        return JSONResponse(
            {"taken": await self.store.write(lambda session: take_offline(session, lines), param="lines")}
        )


def _no_format(format: str, known: Iterable[str]) -> APIError:
    return APIError(404, f"There is no format '{format[:40]}'; there are {', '.join(known)}.", code="not_found")


def _file(content: str, name: str, kind: str) -> Response:
    headers = {"content-type": kind, "content-disposition": f'attachment; filename="{name}"'}
    return Response(content.encode("utf-8", "replace"), headers=headers)
