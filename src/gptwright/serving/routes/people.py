"""People and their keys over HTTP. Owners let people in; everybody sees and withdraws their own keys."""

import time

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import InputError
from gptwright.serving.access import OWNER, Caller, Role, caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.fields import RequestFields
from gptwright.serving.request_body import read_json
from gptwright.serving.routes.views import View
from gptwright.serving.transactions import Transactions
from gptwright.store.people import add_key, add_user, find_user, keys_of, users, withdraw_key
from gptwright.store.tables import Key, User

NAME = r"^[\w.@-]{1,64}$"


class NewUser(RequestFields):
    """POST /api/users."""

    name: str = Field(pattern=NAME)
    role: Role = "chatter"


class UserChange(RequestFields):
    """PATCH of a user. Who is not `active` comes in no more."""

    role: Role | None = None
    active: bool | None = None


class NewKey(RequestFields):
    """POST of a key. `days`: how long it counts; `per_minute`: requests."""

    title: str = Field("", max_length=200)
    days: float | None = Field(None, gt=0, le=3660)
    per_minute: int | None = Field(None, ge=1, le=10**6)


class People:
    """The routes of `/api/users`, `/api/keys` and `/api/me`. `reserved`: names of keys that the server was started
    with, which nobody else may have."""

    def __init__(self, store: Transactions, reserved: frozenset[str]) -> None:
        self.store, self.reserved = store, reserved

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
        """Somebody new, who comes in once they have a key."""
        asked = NewUser.read(await read_json(request))
        if asked.name in self.reserved:
            raise APIError(400, "'name': the server was started with a key of this name.", param="name",
                           code="invalid_value")  # fmt: skip
        made = await self.store.write(lambda session: _user_view(add_user(session, asked.name, asked.role)))
        return JSONResponse(made, 201)

    async def change(self, request: Request, name: str) -> Response:
        """Another role, or an end; it counts from the next request on."""
        asked = UserChange.read(await read_json(request))

        def changed(session: Session) -> View:
            user = _find(session, name)
            user.role = asked.role or user.role
            user.active = user.active if asked.active is None else asked.active
            return _user_view(user)

        return JSONResponse(await self.store.write(changed))

    async def keys(self, request: Request, name: str) -> Response:
        """Those of a user, without their secrets, which nobody knows."""
        _check_self(caller_of(request), name)

        def found(session: Session) -> list[View]:
            _find(session, name)
            return [_key_view(key) for key in keys_of(session, name)]

        return JSONResponse({"keys": await self.store.read(found)})

    async def add_key(self, request: Request, name: str) -> Response:
        """A new one; its secret is told this once."""
        asked = NewKey.read(await read_json(request))
        until = None if asked.days is None else time.time() + asked.days * 86_400

        def added(session: Session) -> View:
            _find(session, name)
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


def _find(session: Session, name: str) -> User:
    try:
        return find_user(session, name)
    except InputError as error:
        raise APIError(404, "There is no such user.", code="not_found") from error


def _user_view(one: User) -> View:
    return {name: getattr(one, name) for name in ("name", "role", "active", "created")}


def _key_view(one: Key) -> View:
    return {name: getattr(one, name) for name in ("id", "user", "title", "until", "per_minute", "created")}
