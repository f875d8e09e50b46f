"""What is told of the models: of each its name, its aliases, where it comes from, and what it can do; and which took
another's place."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import GptwrightError
from gptwright.foundations.progress import say
from gptwright.serving.api_errors import APIError
from gptwright.serving.messages import MOST_IMAGES
from gptwright.serving.served_models import ServedClassifier, ServedModel, ServedModels

TOLD = ("stage", "run", "base", "weights")
"""of where a model comes from; null where it is not known"""


class ModelCards:
    """The routes of `/v1/models` and `/api/versions`. `versions`: the improvements of the run, the latest first."""

    def __init__(self, served: ServedModels, versions: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self.served, self.versions, self.started = served, versions, int(time.time())

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/v1/models", self.list, methods=["GET", "HEAD"])
        app.add_api_route("/v1/models/{name:path}", self.one, methods=["GET", "HEAD"])
        app.add_api_route("/api/versions", self.history, methods=["GET"])

    async def list(self) -> Response:
        """The models that are served."""
        return JSONResponse({"object": "list", "data": [self._card(one) for one in self.served.all.values()]})

    async def one(self, name: str) -> Response:
        """One of them, by its name or another name of it."""
        return JSONResponse(self._card(self.served.find(name)))

    async def history(self) -> Response:
        """Which model took another's place, when and for what; the latest first."""
        try:
            found = await run_in_threadpool(self.versions)
        except GptwrightError as error:
            say(str(error))
            raise APIError(503, "This was not read; the server's terminal says why.", code="not_read") from error
        return JSONResponse({"versions": [dict(one) for one in found]})

    def _card(self, one: ServedModel | ServedClassifier) -> dict[str, object]:
        origin = self.served.origins.get(one.name, {})
        created = origin.get("created", self.started)
        head = {"id": one.name, "object": "model", "created": created, "owned_by": "gptwright"}
        own = self.served.writers if isinstance(one, ServedModel) else self.served.classifiers
        head |= {"default": one.name == next(iter(own)), "aliases": self.served.aliases_of(one.name)}
        head |= {name: origin.get(name) for name in TOLD}
        return head | (_writer_card(one) if isinstance(one, ServedModel) else _classifier_card(one))


def _writer_card(one: ServedModel) -> dict[str, object]:
    model = one.model
    own = model.sampling
    defaults = {"temperature": own.temperature, "top_p": own.top_p, "max_tokens": own.max_tokens}
    can = {"inserts": model.inserts, "edits": model.edits}
    return {"max_model_len": model.context, "defaults": defaults, "max_images": MOST_IMAGES if model.sees else 0, **can}


def _classifier_card(one: ServedClassifier) -> dict[str, object]:
    scorer = one.scorer
    return {"max_model_len": scorer.context, "labels": scorer.labels,
            "thresholds": scorer.moderation.thresholds_of(scorer.labels)}  # fmt: skip
