"""Who may do what: every route by every role, and of two people neither reaches what is the other's."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from tests.serving.conftest import FakeModel

from gptwright.serving.access import LEAST, ROLES, least_role
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.store.labels import annotate
from gptwright.store.logins import add_login
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.people import add_key, add_user
from gptwright.store.tasks import add_task, take_task

OWNERS = {
    "GET /api/jobs", "POST /api/jobs", "GET /api/jobs/{id}", "POST /api/jobs/{id}/cancel", "POST /api/tasks",
    "GET /api/tasks/agreement",
    "GET /api/tasks/agreement/labellers", "GET /api/tasks/differing", "POST /api/tasks/make",
    "POST /api/tasks/prioritise", "POST /api/tasks/{id}/decide", "GET /api/exports/{format}",
    "POST /api/imports/{format}", "GET /api/teaching", "GET /api/users", "POST /api/users", "PATCH /api/users/{name}",
    "POST /api/users/{name}/keys", "GET /metrics",
}  # fmt: skip
LABELLERS = {
    "POST /api/tasks/next", "GET /api/tasks/progress", "POST /api/tasks/{id}/submit", "POST /api/tasks/{id}/skip",
    "POST /api/tasks/{id}/undo", "POST /api/tasks/{id}/renew", "POST /api/tasks/offline", "POST /api/tasks/merge",
}  # fmt: skip
CHATTERS = {
    "GET /api/conversations", "POST /api/conversations", "GET /api/conversations/{id}", "PATCH /api/conversations/{id}",
    "DELETE /api/conversations/{id}", "POST /api/conversations/{id}/messages", "POST /api/conversations/{id}/answers",
    "GET /api/answers/{id}", "GET /api/answers/{id}/events", "POST /api/answers/{id}/stop",
    "GET /api/answers/{id}/tokens", "GET /api/answers/{id}/prompt", "GET /api/answers/{id}/inside",
    "GET /api/conversations/{id}/labels",
    "DELETE /api/messages/{id}", "PATCH /api/messages/{id}",
    "GET /api/messages/{id}/labels", "PUT /api/messages/{id}/labels/{kind}", "DELETE /api/messages/{id}/labels/{kind}",
    "GET /api/me", "GET /api/versions", "PUT /api/me/password", "GET /api/users/{name}/keys", "DELETE /api/keys/{id}",
    "GET /examples", "POST /feedback", "POST /completion", "POST /infill", "GET /openapi.json",
}  # fmt: skip
"""these, OpenAI's under /v1/, and the files of the page"""


def routes(model: FakeModel, store: Store) -> tuple[Any, list[str]]:
    app = create_app({model.name: model}, store, keys={"root": "root-key"})  # pyright: ignore[reportArgumentType]
    found = [(method, route.path) for route in app.routes if isinstance(route, APIRoute)
             for method in sorted(set(route.methods or ()) - {"HEAD"})]  # fmt: skip
    assert len(found) == len(app.routes)
    return app, [f"{method} {path}" for method, path in found if path not in app.state.open_paths]


def test_every_route_is_somebody_s_and_the_rest_is_nobody_s(model: FakeModel, store: Store) -> None:
    _, found = routes(model, store)
    listed = {route for route in found if " /v1/" not in route}
    assert listed == OWNERS | LABELLERS | CHATTERS
    least = {route: least_role(*route.split()) for route in found}
    expected = {"owner": OWNERS, "labeller": LABELLERS}
    assert {route for route, role in least.items() if role not in ("owner", "labeller")} == set(
        found
    ) - OWNERS - LABELLERS
    assert all({route for route, role in least.items() if role == name} == known for name, known in expected.items())
    assert None not in least.values()
    assert least_role("GET", "/new") is None and least_role("GET", "/api/new") is None and "/api/" not in LEAST


def members(store: Store, *people: tuple[str, str]) -> dict[str, str]:
    """A key for each."""
    with store.write() as session:
        for name, role in people:
            add_user(session, name, role)
        return {name: add_key(session, name)[1] for name, _ in people}


def logins(store: Store, *people: tuple[str, str]) -> dict[str, str]:
    """The cookie of each, who came in by a password."""
    with store.write() as session:
        for name, role in people:
            add_user(session, name, role)
        return {name: f"gptwright={add_login(session, name)}" for name, _ in people}


def shown(secret: str) -> dict[str, str]:
    """The headers with which a key is shown, or, from the server's own page, the cookie of a login."""
    if secret.startswith("gptwright="):
        return {"cookie": secret, "origin": "http://localhost"}
    return {"authorization": f"Bearer {secret}"}


def statuses(app: Any, calls: list[tuple[str, str, Any, str]]) -> list[int]:
    async def go() -> list[int]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [(await client.request(method, path, json=body, headers=shown(secret))).status_code
                    for method, path, body, secret in calls]  # fmt: skip

    return asyncio.run(go())


ways = pytest.mark.parametrize("come_in", [members, logins])


@ways
@pytest.mark.parametrize("role", ["nobody", *ROLES])
def test_every_role_at_every_route(model: FakeModel, store: Store, role: str, come_in: Any) -> None:
    app, found = routes(model, store)
    keys = come_in(store, *((name, name) for name in ROLES))
    allowed = {"nobody": set[str](), "chatter": set(found) - OWNERS - LABELLERS, "labeller": set(found) - OWNERS,
               "owner": set(found)}[role]  # fmt: skip
    calls = [
        (*route.split(), {"no such field": 1}, keys.get(role, "gptwright=guess" if come_in is logins else "gw-guess"))
        for route in found
    ]
    got = statuses(app, [(method, path, body, key) for method, path, body, key in calls])
    refused = 401 if role == "nobody" else 403
    assert {route for route, status in zip(found, got, strict=True) if status == refused} == set(found) - allowed
    assert max(got) < 500


def test_an_undeclared_route_is_nobody_s(model: FakeModel, store: Store) -> None:
    async def new() -> dict[str, str]:
        return {}

    app, _ = routes(model, store)
    app.add_api_route("/api/new", new, methods=["GET"])
    assert statuses(app, [("GET", "/api/new", None, "root-key")]) == [403]


@ways
@pytest.mark.parametrize("role", ROLES)
def test_of_two_people_neither_reaches_what_is_the_other_s(
    model: FakeModel, store: Store, role: str, come_in: Any
) -> None:
    app, found = routes(model, store)
    keys = come_in(store, ("anna", role), ("ben", role))
    with store.write() as session:
        talk = add_conversation(session, owner="ben", title="private")
        asked = add_message(session, talk.id, None, "user", "Hi")
        answer = add_message(session, talk.id, asked.id, "assistant", "Hello")
        annotate(session, "thumb", answer.id, "up", author="ben")
        _, secret = add_key(session, "ben", title="mine")
    bodies: dict[str, Any] = {
        "PATCH /api/conversations/{id}": {"title": "x"},
        "POST /api/conversations/{id}/messages": {"role": "user", "content": "x"},
        "POST /api/conversations/{id}/answers": {"message_id": asked.id},
        "PATCH /api/messages/{id}": {"deleted": False},
        "PUT /api/messages/{id}/labels/{kind}": {"value": "up"},
    }
    ids = {"conversations": talk.id, "answers": answer.id, "messages": answer.id}
    touched = [route for route in found if "{id}" in route and route.split("/")[2] in ids]
    last = ["POST /api/conversations/{id}/answers", "DELETE /api/conversations/{id}"]  # then there is nothing any more
    touched.sort(key=lambda route: last.index(route) + 1 if route in last else 0)
    assert len(touched) == 17
    calls: list[tuple[str, str, Any]] = []
    for route in touched:
        method, path = route.split()
        calls.append((method, path.format(id=ids[path.split("/")[2]], kind="thumb"), bodies.get(route, {})))
    mine = [("GET", "/api/conversations?search=Hi", None), ("GET", "/api/users/ben/keys", None)]
    assert statuses(app, [(method, path, body, keys["anna"]) for method, path, body in calls]) == [404] * len(calls)
    own = statuses(app, [(method, path, body, keys["ben"]) for method, path, body in [*calls, *mine]])
    by_a_person = [409 * path.endswith(("/tokens", "/prompt", "/inside")) for _, path, _ in [*calls, *mine]]
    assert all(status == refused or status < 300 for status, refused in zip(own, by_a_person, strict=True)), own
    others = statuses(app, [(*mine[1], keys["anna"])])
    assert others == ([200] if role == "owner" else [404]) and secret


def test_a_task_is_seen_by_who_holds_it_without_the_names(model: FakeModel, store: Store) -> None:
    app, _ = routes(model, store)
    keys = members(store, ("anna", "labeller"), ("ben", "labeller"))
    with store.write() as session:
        talk = add_conversation(session, owner="root")
        asked = add_message(session, talk.id, None, "user", "Hi")
        for text in ("a", "b"):
            add_message(session, talk.id, asked.id, "assistant", text, model="secret-model")
        add_task(session, "ranking", asked.id)
        take_task(session, "ben")

    async def go() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.post("/api/tasks/next", json={}, headers={"authorization": f"Bearer {keys[name]}"})
                    for name in ("anna", "ben")]  # fmt: skip

    nothing, task = asyncio.run(go())
    assert nothing.json() == {"task": None} and task.json()["task"]["message_id"] == asked.id
    assert "secret-model" not in task.text


def test_a_quota_is_per_key(model: FakeModel, store: Store) -> None:
    app, _ = routes(model, store)
    with store.write() as session:
        add_user(session, "anna", "chatter")
        few, many = (add_key(session, "anna", per_minute=number)[1] for number in (2, 100))
    calls = [("GET", "/api/me", None, few)] * 3 + [("GET", "/api/me", None, many)] * 3
    assert statuses(app, calls) == [200, 200, 429, 200, 200, 200]


def test_without_keys_the_person_here_is_the_owner_and_a_key_is_its_user_s(talk_as: Any) -> None:
    assert talk_as("") == {"name": "", "role": "owner"}
    assert talk_as("anything") == {"name": "", "role": "owner"}
    assert talk_as("gw-unknown")["error"]["code"] == "invalid_api_key"


@pytest.fixture
def talk_as(client: Any) -> Any:
    def ask(key: str) -> Any:
        async def go() -> Any:
            async with client() as opened:
                return (await opened.get("/api/me", headers={"authorization": f"Bearer {key}"} if key else {})).json()

        return asyncio.run(go())

    return ask
