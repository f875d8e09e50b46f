"""What Prometheus asks: requests by route and status, seconds, jobs that run and wait, tokens read and written.

Only names of routes and models are told, never what anybody wrote.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gptwright.serving.served_models import ServedModels

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str | int]


class Requests:
    """Requests that were answered, by route and status, and the seconds that each route took."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, int]] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, route: str, status: int, seconds: float) -> None:
        """One more; the status 0 is that of a caller who went away before the answer."""
        self.answered[route, status] += 1
        self.seconds[route] += seconds


class MetricsMiddleware:
    """ASGI middleware around everything: counts what is answered."""

    def __init__(self, app: ASGIApp, *, requests: Requests) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status, began = 0, time.monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.requests.add(route, status, time.monotonic() - began)


class Metrics:
    """GET /metrics, in Prometheus' text format."""

    def __init__(self, served: ServedModels, requests: Requests) -> None:
        self.served, self.requests = served, requests

    async def show(self, _: Request) -> Response:
        """Everything as it is now."""
        return Response("".join(self._lines()), media_type=MEDIA_TYPE)

    def _lines(self) -> Iterator[str]:
        answered = self.requests.answered.items()
        told = [({"route": route, "status": status}, count) for (route, status), count in answered]
        yield from _metric("requests_total", "counter", "Requests that were answered", told)
        spent = [({"route": route}, seconds) for route, seconds in self.requests.seconds.items()]
        yield from _metric("request_seconds_total", "counter", "Seconds up to the end of answers", spent)
        workers = [({"model": name}, one.worker) for name, one in self.served.all.items()]
        running = [(labels, len(worker.running)) for labels, worker in workers]
        yield from _metric("requests_running", "gauge", "Requests that are being answered", running)
        queued = [(labels, worker.queued) for labels, worker in workers]
        yield from _metric("requests_queued", "gauge", "Requests that wait", queued)
        engines = [({"model": name}, one.model.engine) for name, one in self.served.writers.items()]
        read = [(labels, engine.tokens_read) for labels, engine in engines]
        yield from _metric("prompt_tokens_total", "counter", "Tokens of prompts that were read", read)
        written = [(labels, engine.tokens_written) for labels, engine in engines]
        yield from _metric("completion_tokens_total", "counter", "Tokens that were written", written)


def _metric(name: str, kind: str, text: str, values: Sequence[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# HELP gptwright_{name} {text}.\n# TYPE gptwright_{name} {kind}\n"
    for labels, value in values:
        told = ",".join(f'{label}="{_escaped(str(text))}"' for label, text in labels.items())
        yield f"gptwright_{name}{{{told}}} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
