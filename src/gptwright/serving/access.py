"""Who may use which route. What is not said here is nobody's: a new route answers 403 until it is."""

from dataclasses import dataclass

from starlette.requests import Request

from gptwright.serving.api_errors import APIError
from gptwright.store.roles import ROLES, Role

CHATTER: Role = "chatter"
LABELLER: Role = "labeller"
OWNER: Role = "owner"
LEAST: dict[str, Role] = {
    "/examples": CHATTER,
    "/openapi.json": CHATTER,
    "/metrics": OWNER,
    "/feedback": CHATTER,
    "/completion": CHATTER,
    "/infill": CHATTER,
    "/v1/": CHATTER,
    "/api/conversations": CHATTER,
    "/api/answers": CHATTER,
    "/api/messages": CHATTER,
    "/api/me": CHATTER,
    "/api/versions": CHATTER,
    "/api/keys": CHATTER,
    "/api/users": OWNER,
    "GET /api/users/{name}/keys": CHATTER,
    "/api/jobs": OWNER,
    "/api/teaching": OWNER,
    "/api/tasks": LABELLER,
    "POST /api/tasks": OWNER,
    "POST /api/tasks/next": LABELLER,
    "POST /api/tasks/{id}": LABELLER,
    "POST /api/tasks/offline": LABELLER,
    "POST /api/tasks/merge": LABELLER,
    "POST /api/tasks/{id}/decide": OWNER,
    "/api/tasks/agreement": OWNER,
    "/api/tasks/differing": OWNER,
    "/api/exports": OWNER,
    "/api/imports": OWNER,
}
"""The least role that may use a route: of its address, or of the longest beginning of it that ends with a slash or at
one. `METHOD /address` goes before `/address`."""


@dataclass(frozen=True)
class Caller:
    """Somebody who came in. `name` is empty for the person at this machine, who needs none."""

    name: str
    role: Role

    def may(self, least: Role) -> bool:
        """Whether the role is that or more."""
        return ROLES.index(self.role) >= ROLES.index(least)


HERE = Caller("", OWNER)
"""who uses a server without keys and passwords: it listens to this machine only"""


@dataclass
class Door:
    """Whether it is locked: who shows nothing is refused. It is not opened again while the server runs."""

    locked: bool


def caller_of(request: Request) -> Caller:
    """Who sent a request. Raises `APIError` (403) where the guard let it in as nobody."""
    found = getattr(request.state, "caller", None)
    if found is None:
        raise _refused()
    return found


async def admit(request: Request) -> None:
    """What every route depends on. Raises `APIError` (403) for a caller whose role may not use it."""
    path = request.scope["route"].path
    if path in request.app.state.open_paths:
        return
    least = least_role("GET" if request.method == "HEAD" else request.method, path)
    if least is None or not caller_of(request).may(least):
        raise _refused()


def least_role(method: str, path: str) -> Role | None:
    """Who may use the route of this address, as it was declared; None for nobody."""
    parts = path.split("/")
    for length in range(len(parts), 1, -1):
        start = "/".join(parts[:length])
        for known in (f"{method} {start}", start, f"{start}/"):
            if known in LEAST:
                return LEAST[known]
    return None


def _refused() -> APIError:
    return APIError(403, "Your role may not do this.", code="role_not_allowed")
