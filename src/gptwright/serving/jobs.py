"""A request's job for the worker: begun or refused, waited for while its caller is there, its failures told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

from gptwright.serving.api_errors import CLIENT_GONE, APIError, api_error_of
from gptwright.serving.worker import Closed, Job, QueueFull, Source, Worker

T = TypeVar("T")


def begin(worker: Worker[T], make: Callable[[], Source[T]]) -> Job[T]:
    """Puts a job in line. Raises `APIError`: 429 when too many wait, 503 when the server is stopping."""
    try:
        return worker.submit(make)
    except QueueFull as error:
        raise APIError(429, f"{worker.waiting} requests are waiting; try again soon.", code="queue_full") from error
    except Closed as error:
        raise _stopping() from error


async def collect(request: Request, worker: Worker[T], make: Callable[[], Source[T]], prompt_field: str) -> list[T]:
    """All that a job makes. Raises as `begin` and `unless_disconnected` do."""
    job = begin(worker, make)
    try:
        return await unless_disconnected(request, _all(job), prompt_field)
    finally:
        job.close()


async def _all(job: Job[T]) -> list[T]:
    return [one async for new in job for one in new]


async def unless_disconnected(request: Request, work: Awaitable[T], prompt_field: str) -> T:
    """The work's result, unless the caller goes away first. `prompt_field` is the field that held the prompt.

    Raises `APIError`: 499 when the caller has gone, and what the work raised as `job_error` tells it.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise APIError(CLIENT_GONE, "The client closed the connection.", code="client_gone")
        return task.result()
    except (APIError, asyncio.CancelledError):
        raise
    except Exception as error:
        raise job_error(error, prompt_field) from error
    finally:
        task.cancel()
        gone.cancel()


def job_error(error: Exception, prompt_field: str) -> APIError:
    """What ended a job, for its caller."""
    if isinstance(error, APIError):
        return error
    return _stopping() if isinstance(error, Closed) else api_error_of(error, prompt_field)


def _stopping() -> APIError:
    return APIError(503, "The server is stopping.", code="stopping")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
