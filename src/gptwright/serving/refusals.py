"""An answer that is an error, in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

OpenAI's clients turn the status into an exception of their own: 400 BadRequestError, 401 AuthenticationError,
404 NotFoundError, 429 RateLimitError, 500 and above InternalServerError.
"""

import logging
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse

from gptwright.foundations.errors import GptwrightError

log = logging.getLogger(__name__)

KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CLIENT_GONE = 499


class Refusal(Exception):
    """Raised anywhere below a route; the guard answers with it."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self) -> dict[str, Any]:
        """The JSON that OpenAI's clients read."""
        kind = KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer, with the headers that its status calls for."""
        headers = {401: {"www-authenticate": "Bearer"}, 429: {"retry-after": "5"}}.get(self.status)
        return JSONResponse(self.body(), self.status, headers)


def unsupported(param: str) -> Refusal:
    """A parameter that this server does not honour: said, never silently ignored."""
    name = param[:80]
    return Refusal(400, f"'{name}' is not supported by this server.", param=name, code="unsupported_parameter")


def invalid(error: ValidationError) -> Refusal:
    """The first thing wrong with a request's fields."""
    first = error.errors(include_url=False, include_input=False)[0]
    param = ".".join(str(part) for part in first["loc"])[:80] or None
    if first["type"] == "extra_forbidden" and param:
        return unsupported(param)
    if first["type"] == "missing":
        return Refusal(400, f"The request must give '{param}'.", param=param, code="missing_required_parameter")
    message = first["msg"].removeprefix("Value error, ")
    return Refusal(400, f"'{param}': {message}." if param else message, param=param, code="invalid_value")


def from_model(error: Exception, given: str | None = None) -> Refusal:
    """What the model said about a prompt or a setting; anything else is our fault, and its details go to the log only.

    `given` is the field that held the prompt.
    """
    if not isinstance(error, GptwrightError):
        log.error("the model failed", exc_info=error)
        return Refusal(500, "The model failed on this request.", code="internal_error")
    too_long = "context" in error.needed
    message = f"Needed {error.needed}; got {error.got}. {error.remedy}"
    return Refusal(400, message, param=given if too_long else None,
                   code="context_length_exceeded" if too_long else "invalid_value")  # fmt: skip
