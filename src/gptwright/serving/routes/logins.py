"""Coming in with a name and a password, going out, and another password."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import InputError
from gptwright.serving.access import Door, caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.cookies import login_of, set_login
from gptwright.serving.fields import RequestFields
from gptwright.serving.password_checks import PasswordChecks, wrong_password
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.views import View
from gptwright.serving.transactions import Transactions
from gptwright.store.logins import add_login, end_login
from gptwright.store.passwords import LONGEST, SHORTEST, anybody_has_one, password_hash, set_password
from gptwright.store.people import find_user
from gptwright.store.tables import User

NewPassword = Annotated[str, Field(min_length=SHORTEST, max_length=LONGEST)]
OPEN = frozenset({"/api/login", "/api/logout"})
"""addresses that need no login"""


class LoginRequest(RequestFields):
    """POST /api/login."""

    name: str = Field(max_length=64)
    password: str = Field(max_length=LONGEST)


class PasswordChange(RequestFields):
    """PUT /api/me/password. `old`: the one before, where there is one."""

    password: NewPassword
    old: str = Field("", max_length=LONGEST)


class Logins:
    """The routes of `/api/login`, `/api/logout` and `/api/me/password`."""

    def __init__(self, store: Transactions, checks: PasswordChecks, door: Door) -> None:
        self.store, self.checks, self.door = store, checks, door

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/login", self.look, methods=["GET"])
        app.add_api_route("/api/login", self.log_in, methods=["POST"])
        app.add_api_route("/api/logout", self.log_out, methods=["POST"])
        app.add_api_route("/api/me/password", self.change, methods=["PUT"])

    async def look(self, request: Request) -> Response:
        """Whether one must come in by a key or a login (`needed`), and whether anybody has a password."""
        return JSONResponse({"needed": self.door.locked, "passwords": await self.store.read(anybody_has_one)})

    async def log_in(self, request: Request) -> Response:
        """Who it is, and the cookie that says so from then on. What the browser came in with before ends."""
        asked = LoginRequest.read(await read_json(request))
        hash = await self.checks.check(request, asked.name, asked.password)
        return await self._come_in(request, asked.name, hash)

    async def log_out(self, request: Request) -> Response:
        """The login ends, and the cookie with it."""
        secret = login_of(request.method, request.headers)
        await self.store.write(lambda session: end_login(session, secret))
        response = JSONResponse({"logged_out": True})
        set_login(response, request.headers, "")
        return response

    async def change(self, request: Request) -> Response:
        """Another password: all logins end, but for that of a browser which asks."""
        asked, name = PasswordChange.read(await read_json(request)), caller_of(request).name
        came_in = login_of(request.method, request.headers)
        before = await self.store.read(lambda session: find(session, name).password)
        if before:
            await self.checks.check(request, name, asked.old)
        hash = await self.checks.hash(asked.password)

        def changed(session: Session) -> View:
            user = find(session, name)
            if user.password != before:
                raise wrong_password()
            set_password(session, name, hash)
            return {"name": name, "role": user.role}

        view = await self.store.write(changed)
        return await self._come_in(request, name, hash) if came_in else JSONResponse(view)

    async def _come_in(self, request: Request, name: str, hash: str) -> Response:
        before = login_of(request.method, request.headers)

        def came_in(session: Session) -> tuple[str, View]:
            if password_hash(session, name) != hash:  # it was changed meanwhile
                raise wrong_password()
            end_login(session, before)
            return add_login(session, name), {"name": name, "role": find(session, name).role}

        secret, view = await self.store.write(came_in)
        response = JSONResponse(view)
        set_login(response, request.headers, secret)
        return response


def find(session: Session, name: str) -> User:
    """Raises `APIError` (404) where there is no such user."""
    try:
        return find_user(session, name)
    except InputError as error:
        raise APIError(404, "There is no such user.", code="not_found") from error
