"""The store behind the routes: in a thread beside the event loop, all of a piece of work or nothing, failures told."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from gptwright.foundations.errors import InputError, ResourceError
from gptwright.foundations.progress import say
from gptwright.serving.api_errors import APIError
from gptwright.store.database import Store
from gptwright.store.logins import logged_in
from gptwright.store.people import Admitted, admitted

T = TypeVar("T")


class Transactions:
    """Work on a store, given as functions of a session."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, work: Callable[[Session], T]) -> T:
        """What the work finds. Raises `APIError`: 400 for what the store refuses, 503 when it cannot be reached."""

        def run() -> T:
            with _told("read"), self._store.read() as session:
                return work(session)

        return await run_in_threadpool(run)

    async def write(self, work: Callable[[Session], T], *, param: str | None = None) -> T:
        """What the work gives, once all of it is on the disk. Raises as `read` does; `param` is the request's field
        that the store looks at."""

        def run() -> T:
            with _told("saved", param), self._store.write() as session:
                return work(session)

        return await run_in_threadpool(run)

    async def admitted(self, secret: str) -> Admitted | None:
        """Whose key this is. Raises as `read` does."""
        return await self.read(lambda session: admitted(session, secret))

    async def logged_in(self, secret: str) -> Admitted | None:
        """Whose login this is. Raises as `read` does."""
        return await self.read(lambda session: logged_in(session, secret))


@contextmanager
def _told(what: str, param: str | None = None) -> Generator[None]:
    try:
        yield
    except InputError as error:
        field = f"'{param}': needed" if param else "Needed"
        message = f"{field} {error.needed}; got {error.got}. {error.remedy}"
        raise APIError(400, message, param=param, code="invalid_value") from error
    except ResourceError as error:
        say(str(error))
        code = f"not_{what}"
        raise APIError(503, f"This was not {what}; the server's terminal says why.", code=code) from error
