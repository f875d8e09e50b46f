"""A look inside the model while it reads an answer again: the page of `gptwright see`.

It is worked on in steps by the model's thread, so others' answers go on between them and a caller who leaves ends it.
One is made at a time. The last is kept, so that who has asked for it can open it as a page of its own.
"""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gptwright.interpretability.look import look
from gptwright.interpretability.page import Page
from gptwright.interpretability.steps import Steps
from gptwright.serving.api_errors import APIError
from gptwright.serving.choices import IndexedChunk
from gptwright.serving.jobs import collect
from gptwright.serving.routes.written_answers import WrittenAnswer, WrittenAnswers
from gptwright.serving.served_models import ServedModel

ALONE = "frame-ancestors 'none'; sandbox allow-scripts"
"""the page has an origin of its own: whatever ran in it would be no caller of this server"""


class Looking:
    """A worker's job that does one step a round, and makes nothing but the page."""

    def __init__(self, steps: Steps[Page]) -> None:
        self._steps = steps
        self.page: Page | None = None

    @property
    def done(self) -> bool:
        return self.page is not None

    def next(self) -> list[IndexedChunk]:
        try:
            next(self._steps)
        except StopIteration as end:
            self.page = end.value
        return []

    def close(self) -> None:
        """It need not come to its end."""
        self._steps.close()


@dataclass(frozen=True)
class Kept:
    """The last page, and of which answer in which weights it is."""

    id: str
    weights: str
    page: Page


class AnswerInside:
    """The route."""

    def __init__(self, answers: WrittenAnswers) -> None:
        self.answers = answers
        self._busy = False
        self._kept: Kept | None = None

    def add_to(self, app: FastAPI) -> None:
        """Declares the route."""
        app.add_api_route("/api/answers/{id}/inside", self.inside, methods=["GET"])

    async def inside(self, request: Request, id: str) -> Response:
        """One HTML page of what the model makes of an answer and its prompt, of their last tokens where they are
        many. Another one at the same time is a 429."""
        answer, served = await self.answers.find(request, id)
        kept = self._kept
        if kept is None or (kept.id, kept.weights) != (id, answer.weights):
            if self._busy:
                raise APIError(429, "Another answer is being looked into; try again soon.", code="queue_full")
            self._busy = True
            try:
                kept = self._kept = Kept(id, answer.weights, await self._made(request, answer, served))
            finally:
                self._busy = False
        policy = f"{kept.page.policy}; {ALONE}"
        return HTMLResponse(kept.page.html, headers={"content-security-policy": policy})

    async def _made(self, request: Request, answer: WrittenAnswer, served: ServedModel) -> Page:
        ids = await run_in_threadpool(answer.ids, served.model.tokenizer)
        looking = Looking(look(served.model, ids, answer.text[:60], end=True))
        await collect(request, served.worker, lambda: looking, "id")
        assert looking.page
        return looking.page
