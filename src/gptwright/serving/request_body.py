"""A request's body as JSON, read with limits on bytes, seconds and depth, and nothing that is not a finite number
or well-formed text."""

import asyncio
import json
from typing import Any, NoReturn, cast

from starlette.requests import Request

from gptwright.serving.api_errors import APIError

MAX_BYTES = 1 << 20
MAX_SECONDS = 30.0
MAX_DEPTH = 64
EXACT = 1 << 53
"""below it a float is one integer and no other"""


async def read_json(request: Request) -> dict[str, object]:
    """The JSON object that was posted.

    Raises `APIError`: 413 when longer than `MAX_BYTES`, 408 when slower than `MAX_SECONDS`, 400 when it is not a JSON
    object of finite numbers and valid Unicode at most `MAX_DEPTH` deep.
    """
    try:
        async with asyncio.timeout(MAX_SECONDS):
            raw = await _read_bytes(request)
    except TimeoutError as error:
        raise APIError(408, f"The body did not arrive within {MAX_SECONDS:.0f} s.", code="request_timeout") from error
    value = _parse(raw)
    _inspect(value)
    if not isinstance(value, dict):
        raise APIError(400, "The body must be a JSON object.", code="invalid_json")
    return cast("dict[str, Any]", value)


async def _read_bytes(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    body = bytearray()
    if not announced.isdecimal() or int(announced[:20]) <= MAX_BYTES:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                break
        else:
            return bytes(body)
    raise APIError(413, f"The body may be at most {MAX_BYTES} bytes long.", code="request_too_large")


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, parse_float=_number)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # bad UTF-8, bad JSON, NaN, or an integer of thousands of digits
        raise APIError(400, f"The body is not valid JSON: {str(error)[:120]}.", code="invalid_json") from error


def _number(text: str) -> float:
    """An int of what JSON calls an integer however it is written: 3.0, 3e2."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _inspect(value: Any) -> None:
    """Walks the value without recursion: depth, and text that UTF-8 can hold."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _well_formed(item)
            elif isinstance(item, dict):
                pairs = cast("dict[str, Any]", item)
                below += [*pairs.keys(), *pairs.values()]
            elif isinstance(item, list):
                below += cast("list[Any]", item)
        if not below:
            return
        level = below
    raise _too_deep()


def _well_formed(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise APIError(
            400, "The body holds half of a surrogate pair, which is not text.", code="invalid_json"
        ) from error


def _too_deep() -> APIError:
    return APIError(400, f"The body is nested deeper than {MAX_DEPTH} levels.", code="invalid_json")
