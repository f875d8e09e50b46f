"""Other sites' pages, other names and callers without the key stay outside."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from gptwright.serving import middleware

BUNDLE = Path(middleware.__file__).parent / "web"
BODY = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


def call(make: Any, method: str, path: str, headers: dict[str, str], **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with make(**options) as client:
            return await client.request(method, path, headers=headers, json=BODY if method == "POST" else None)

    return asyncio.run(go())


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000", "LOCALHOST:80", "localhost."]
)
def test_our_own_names_are_answered(client: Any, host: str) -> None:
    assert call(client, "GET", "/v1/models", {"host": host}).status_code == 200


FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", "192.168.1.5", "", "[::1", "[::2]",
           "evil.example@localhost.evil", "0.0.0.0", "localhost/evil", "localhost?x"]  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/", "/v1/models", "/health", "/nothing"])
def test_other_names_are_refused_everywhere(client: Any, host: str, path: str) -> None:
    answer = call(client, "GET", path, {"host": host})
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "host_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://localhost.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/feedback"])
def test_posts_from_other_pages_are_refused(client: Any, model: Any, path: str, headers: dict[str, str]) -> None:
    answer = call(client, "POST", path, {"host": "localhost:8000", **headers})
    assert answer.status_code == 403 and not model.asked


def test_posts_from_our_page_and_from_programs_are_answered(client: Any) -> None:
    ours = {"host": "localhost:8000", "origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
    assert call(client, "POST", "/v1/chat/completions", ours).status_code == 200
    assert call(client, "POST", "/v1/chat/completions", {}).status_code == 200


def test_no_other_site_is_ever_allowed_to_read(client: Any) -> None:
    for method in ("GET", "OPTIONS"):
        answer = call(client, method, "/v1/models", {"origin": "http://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/app.js", "/v1/models", "/nothing"])
def test_every_answer_carries_the_policy(client: Any, path: str) -> None:
    policy = call(client, "GET", path, {}).headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    scripts = "".join(path.read_text(encoding="utf-8") for path in sorted(BUNDLE.glob("*.js")))
    made = set(re.findall(r"createPolicy\([`'\"]([^`'\"]+)", scripts))
    admitted = re.search(r"trusted-types ([^;]+)", policy)
    assert admitted and set(admitted[1].split()) == made | {"dompurify"}, "a policy may be made by its room alone"


def test_with_a_key_everything_but_the_page_needs_it(client: Any) -> None:
    for path in ("/v1/models", "/v1/models/tiny", "/examples", "/nothing", "/openapi.json", "/docs", "/V1/models"):
        assert call(client, "GET", path, {}, keys={"anna": "secret"}).status_code == 401
    for path in ("/v1/chat/completions", "/v1/completions", "/feedback"):
        answer = call(client, "POST", path, {}, keys={"anna": "secret"})
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    for path in ("/", "/app.js", "/index.css", "/health"):
        assert call(client, "GET", path, {}, keys={"anna": "secret"}).status_code == 200


@pytest.mark.parametrize(
    "given", ["secret", "Basic secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "Bearer \xff"]
)
def test_a_wrong_key_is_401(client: Any, given: str) -> None:
    raw = {b"authorization": given.encode("latin-1")}

    async def go() -> httpx.Response:
        async with client(keys={"anna": "secret"}) as c:
            return await c.get("/v1/models", headers=raw)

    assert asyncio.run(go()).status_code == 401


@pytest.mark.parametrize("key", ["secret", "clé-钥匙"])
def test_the_right_key_opens(client: Any, key: str) -> None:
    raw = {b"authorization": b"bearer " + key.encode()}

    async def go() -> httpx.Response:
        async with client(keys={"anna": key}, hosts=None) as c:
            return await c.get("/v1/models", headers={**raw, b"host": b"server.example"})

    assert asyncio.run(go()).status_code == 200
