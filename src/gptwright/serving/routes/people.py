"""People, their passwords and their keys over HTTP. Owners let people in; everybody sees and withdraws their own
keys."""

import time
from collections.abc import Callable

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.serving.access import OWNER, Caller, Door, caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import RequestFields
from gptwright.serving.password_checks import PasswordChecks
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.logins import NewPassword, find
from gptwright.serving.routes.views import View
from gptwright.serving.transactions import Transactions
from gptwright.store.logins import set_active
from gptwright.store.passwords import an_owner_has_one, set_password
from gptwright.store.people import NAME, add_key, add_user, keys_of, users, withdraw_key
from gptwright.store.roles import Role
from gptwright.store.tables import Key, User


class NewUser(RequestFields):
    """POST /api/users."""

    name: str = Field(pattern=NAME)
    role: Role = "chatter"
    password: NewPassword | None = None


class UserChange(RequestFields):
    """PATCH of a user. Who is not `active` comes in no more; another password ends all logins."""

    role: Role | None = None
    active: bool | None = None
    password: NewPassword | None = None


class NewKey(RequestFields):
    """POST of a key. `days`: how long it counts; `per_minute`: requests."""

    title: str = Field("", max_length=200)
    days: float | None = Field(None, gt=0, le=3660)
    per_minute: int | None = Field(None, ge=1, le=10**6)


class People:
    """The routes of `/api/users`, `/api/keys` and `/api/me`. `reserved`: names of keys that the server was started
    with, which nobody else may have."""

    def __init__(self, store: Transactions, reserved: frozenset[str], checks: PasswordChecks, door: Door) -> None:
        self.store, self.reserved, self.checks, self.door = store, reserved, checks, door

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/me", self.me, methods=["GET"])
        app.add_api_route("/api/users", self.list, methods=["GET"])
        app.add_api_route("/api/users", self.add, methods=["POST"])
        app.add_api_route("/api/users/{name}", self.change, methods=["PATCH"])
        app.add_api_route("/api/users/{name}/keys", self.keys, methods=["GET"])
        app.add_api_route("/api/users/{name}/keys", self.add_key, methods=["POST"])
        app.add_api_route("/api/keys/{id}", self.withdraw, methods=["DELETE"])

    async def me(self, request: Request) -> Response:
        """Who the caller is."""
        caller = caller_of(request)
        return JSONResponse({"name": caller.name, "role": caller.role})

    async def list(self, request: Request) -> Response:
        """Everybody."""
        return JSONResponse({"users": await self.store.read(lambda session: list(map(_user_view, users(session))))})

    async def add(self, request: Request) -> Response:
        """Somebody new, who comes in by a password or, once they have one, a key."""
        asked = NewUser.read(await read_json(request))
        if asked.name in self.reserved:
            raise APIError(400, "'name': the server was started with a key of this name.", param="name",
                           code="invalid_value")  # fmt: skip
        hash = await self._hashed(asked.password)

        def added(session: Session) -> User:
            user = add_user(session, asked.name, asked.role)
            if hash:
                set_password(session, asked.name, hash)
            return user

        return JSONResponse(await self._kept(added), 201)

    async def change(self, request: Request, name: str) -> Response:
        """Another role or password, or an end; it counts from the next request on."""
        asked = UserChange.read(await read_json(request))
        hash = await self._hashed(asked.password)

        def changed(session: Session) -> User:
            user = find(session, name)
            user.role = asked.role or user.role
            if asked.active is not None:
                set_active(session, name, asked.active)
            if hash:
                set_password(session, name, hash)
            return user

        return JSONResponse(await self._kept(changed))

    async def _hashed(self, password: str | None) -> str | None:
        return None if password is None else await self.checks.hash(password)

    async def _kept(self, work: Callable[[Session], User]) -> View:
        """The user as the work leaves them. Where an owner can come in by a password now, all must show who they
        are."""
        view, locks = await self.store.write(
            lambda session: (_user_view(work(session)), an_owner_has_one(session)), param="name"
        )
        self.door.locked |= locks
        return view

    async def keys(self, request: Request, name: str) -> Response:
        """Those of a user, without their secrets, which nobody knows."""
        _check_self(caller_of(request), name)

        def found(session: Session) -> list[View]:
            find(session, name)
            return [_key_view(key) for key in keys_of(session, name)]

        return JSONResponse({"keys": await self.store.read(found)})

    async def add_key(self, request: Request, name: str) -> Response:
        """A new one; its secret is told this once."""
        asked = NewKey.read(await read_json(request))
        until = None if asked.days is None else time.time() + asked.days * 86_400

        def added(session: Session) -> View:
            find(session, name)
            key, secret = add_key(session, name, title=asked.title, until=until, per_minute=asked.per_minute)
            return _key_view(key) | {"key": secret}

        return JSONResponse(await self.store.write(added), 201)

    async def withdraw(self, request: Request, id: str) -> Response:
        """It opens nothing any more."""
        caller = caller_of(request)
        user = None if caller.may(OWNER) else caller.name
        if not await self.store.write(lambda session: withdraw_key(session, id, user=user)):
            raise APIError(404, "You have no such key.", code="not_found")
        return JSONResponse({"id": id, "withdrawn": True})


def _check_self(caller: Caller, name: str) -> None:
    """Owners look after everybody's keys, others after their own."""
    if not caller.may(OWNER) and caller.name != name:
        raise APIError(404, "There is no such user.", code="not_found")


def _user_view(one: User) -> View:
    known = {name: getattr(one, name) for name in ("name", "role", "active", "created")}
    return known | {"has_password": one.password is not None}


def _key_view(one: Key) -> View:
    return {name: getattr(one, name) for name in ("id", "user", "title", "until", "per_minute", "created")}
