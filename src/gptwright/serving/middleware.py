"""Who may come in, and what every answer carries.

A page on another site can reach a server on this machine through the person's browser: by posting to it, or by giving
its own name this machine's address (DNS rebinding). So the Host must be one of ours, a POST must come from our own
page, and with keys or passwords every path but the page's own files needs one.
"""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gptwright.serving.access import HERE, OWNER, Caller, Door
from gptwright.serving.api_errors import APIError
from gptwright.serving.cookies import is_same_origin, login_of
from gptwright.serving.quota import Quotas
from gptwright.store.people import PREFIX, Admitted
from gptwright.store.roles import Role

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types markdown dompurify",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

log = logging.getLogger(__name__)


Find = Callable[[str], Awaitable[Admitted | None]]
"""whose key, or whose login, it is that the store knows"""


class AccessMiddleware:
    """ASGI middleware. `keys`: owners' API keys by name; `find`: whose any other key is, `find_login`: whose a login;
    `door`: whether one must be shown. Who sent the request is then `request.state.caller`. `hosts` None lets any Host
    in (then the door must be locked); `open_paths` need no key."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Mapping[str, str],
        find: Find,
        find_login: Find,
        door: Door,
        hosts: frozenset[str] | None,
        open_paths: frozenset[str],
    ) -> None:
        self.app, self.find, self.find_login, self.door = app, find, find_login, door
        self.hosts, self.open_paths = hosts, open_paths
        self.names = {_digest(key.encode("utf-8")): name for name, key in keys.items()}
        self.quotas = Quotas()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id, started = f"req_{secrets.token_hex(12)}", False

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in {"x-request-id": request_id, **HEADERS}.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._check(scope)
            await self.app(scope, receive, marked)
        except APIError as refusal:
            await refusal.response()(scope, receive, marked)
        except Exception:
            if started:
                raise
            log.exception("request %s failed", request_id)
            await APIError(500, f"The server failed on request {request_id}.").response()(scope, receive, marked)

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            raise APIError(403, "This server answers only to the name it was started with.", code="host_not_allowed")
        if scope["method"] not in ("GET", "HEAD"):
            _check_origin(headers, host)
        state = scope.setdefault("state", {})
        state["caller"] = None if scope["path"] in self.open_paths else await self._caller(scope["method"], headers)

    async def _caller(self, method: str, headers: Headers) -> Caller:
        """Who shows a key or a login, or, where none is needed and none of ours shown, the person at this machine."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        secret = given.strip() if scheme.lower() == "bearer" else ""
        digest = _digest(secret.encode("latin-1"))
        name = next((name for known, name in self.names.items() if hmac.compare_digest(digest, known)), None)
        if name is not None:
            return Caller(name, OWNER)
        if secret.startswith(PREFIX) and (found := await self.find(secret)):
            if found.per_minute is not None:
                self.quotas.spend(found.key_id, found.per_minute)
            return Caller(found.name, cast("Role", found.role))
        login = "" if secret else login_of(method, headers)
        if login and (found := await self.find_login(login)):
            return Caller(found.name, cast("Role", found.role))
        if self.door.locked or secret.startswith(PREFIX):
            raise APIError(401, "A valid API key is needed: Authorization: Bearer KEY. People log in at /api/login.",
                           code="invalid_api_key")  # fmt: skip
        return HERE


def _check_origin(headers: Headers, host: str) -> None:
    origin = headers.get("origin")
    foreign = origin is not None and not is_same_origin(origin, host)
    if foreign or headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
        raise APIError(403, "Requests from other sites' pages are not answered.", code="origin_not_allowed")


def _name(host: str) -> str:
    """The name in a Host header, without its port or brackets; empty when it is not one."""
    found = HOST.fullmatch(host.lower())
    return found["name"].strip("[]").rstrip(".") if found else ""


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
