"""An answer that is an error, in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

OpenAI's clients turn the status into an exception of their own: 400 BadRequestError, 401 AuthenticationError,
404 NotFoundError, 429 RateLimitError, 500 and above InternalServerError. Others look at `code`, or for words of the
message: "maximum context length".
"""

import logging
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import JSONResponse

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.engine import PromptTooLong
from gptwright.inference.sampling import SettingError

log = logging.getLogger(__name__)

ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
HEADERS = {401: {"www-authenticate": "Bearer"}, 429: {"retry-after": "5"}}
CLIENT_GONE = 499
FIELDS = {"stop_ids": "stop_token_ids", "prompt_logprobs": "logprobs"}
"""settings of the engine that the API calls otherwise"""
CODES = {
    "missing": "missing_required_parameter",
    "greater_than_equal": "below_min_value",
    "greater_than": "below_min_value",
    "less_than_equal": "above_max_value",
    "less_than": "above_max_value",
    "string_too_long": "string_above_max_length",
    "string_too_short": "string_below_min_length",
    "too_long": "array_above_max_length",
    "too_short": "array_below_min_length",
}
"""OpenAI's word for what pydantic calls otherwise; every error of a type is an "invalid_type" """


class APIError(Exception):
    """Raised anywhere below a route; the guard answers with it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = {**HEADERS.get(status, {}), **(headers or {})}

    def body(self) -> dict[str, object]:
        """The JSON that OpenAI's clients read."""
        kind = ERROR_TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer, with the headers that its status calls for."""
        return JSONResponse(self.body(), self.status, self.headers)


def unsupported_parameter(param: str, why: str = "") -> APIError:
    """A parameter that this server does not honour: said, never silently ignored."""
    name = param[:80]
    message = f"'{name}' is not supported by this server{why and ': '}{why}."
    return APIError(400, message, param=name, code="unsupported_parameter")


def invalid_request(error: ValidationError) -> APIError:
    """The first thing wrong with a request's fields."""
    first = error.errors(include_url=False)[0]
    param = _path(first)[:80]
    if first["type"] == "extra_forbidden":
        return unsupported_parameter(param)
    if first["type"] == "missing":
        return APIError(400, f"The request must give '{param}'.", param=param, code=CODES["missing"])
    message = first["msg"].removeprefix("Value error, ")
    return APIError(400, f"'{param}': {message}.".replace("..", "."), param=param, code=_code(first))


def _path(error: ErrorDetails) -> str:
    """Where it is, as OpenAI writes it: messages[0].content."""
    further = error.get("ctx", {}).get("param")
    places = (*error["loc"], *([further] if further else []))
    return "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in places).removeprefix(".")


def _code(error: ErrorDetails) -> str:
    if error["type"].endswith("_type") or error["type"] == "int_from_float":
        return "invalid_type"
    code = CODES.get(error["type"], "invalid_value")
    if code.endswith("_value") and code != "invalid_value":
        return ("integer_" if isinstance(error["input"], int) else "decimal_") + code
    return code


def api_error_of(
    error: Exception, prompt_field: str | None = None, *, schema_field: str = "response_format"
) -> APIError:
    """What the model said about a prompt or a setting; anything else is our fault, and its details go to the log only.

    `prompt_field` is the field that held the prompt, `schema_field` the one that holds the reply's JSON Schema.
    """
    if not isinstance(error, GptwrightError):
        log.error("the model failed", exc_info=error)
        return APIError(500, "The model failed on this request.", code="internal_error")
    if isinstance(error, PromptTooLong):
        return _too_long(error, prompt_field or "prompt")
    fields = {**FIELDS, "schema": schema_field}
    param = fields.get(error.setting, error.setting) if isinstance(error, SettingError) else prompt_field
    message = f"Needed {error.needed}; got {error.got}. {error.remedy}"
    return APIError(400, message, param=param, code="invalid_value")


def _too_long(error: PromptTooLong, prompt_field: str) -> APIError:
    """In OpenAI's words, by which litellm knows it, and with the code in the message, where langchain looks for it."""
    code = "context_length_exceeded"
    message = (
        f"This model's maximum context length is {error.context} tokens. However, your {prompt_field} resulted in "
        f"{error.tokens} tokens. Please reduce the length of the {prompt_field}. ({code})"
    )
    return APIError(400, message, param=prompt_field, code=code)
