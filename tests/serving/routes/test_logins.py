"""Coming in by a password: a cookie that counts for our own page alone, few guesses, nothing told of a miss."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gptwright.serving.api import create_app
from gptwright.serving.password_checks import FOR_NAME, FROM_ADDRESS, WAITING, PasswordChecks
from gptwright.serving.transactions import Transactions
from gptwright.store.database import Store
from gptwright.store.passwords import hash_password, set_password
from gptwright.store.people import add_user

PASSWORDS = {"anna": "three words beside", "ben": "each other here"}
OURS = {"origin": "http://localhost"}
Browser = Callable[..., httpx.AsyncClient]


@pytest.fixture(scope="module")
def hashes() -> dict[str, str]:
    return {name: hash_password(password) for name, password in PASSWORDS.items()}


@pytest.fixture
def people(store: Store, hashes: dict[str, str]) -> None:
    """An owner and a chatter, with passwords."""
    with store.write() as session:
        for name, role in (("anna", "owner"), ("ben", "chatter")):
            add_user(session, name, role)
            set_password(session, name, hashes[name])


@pytest.fixture
def browser(client: Any, store: Store) -> Callable[..., Any]:
    """`browser(function, **options)` runs a function of a maker of clients of one server, each with cookies of its
    own."""

    def run(function: Callable[[Browser], Any], **options: Any) -> Any:
        app = create_app({}, store, **options)

        def opened(address: str = "10.0.0.1", headers: dict[str, str] = OURS) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
            return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)

        return asyncio.run(function(opened))

    return run


async def come_in(client: httpx.AsyncClient, name: str, password: str | None = None, **more: Any) -> httpx.Response:
    body = {"name": name, "password": PASSWORDS.get(name, "") if password is None else password}
    return await client.post("/api/login", json=body, **more)


async def me(client: httpx.AsyncClient, **more: Any) -> Any:
    answer = await client.get("/api/me", **more)
    return answer.json().get("name", answer.json().get("error", {}).get("code"))


@pytest.mark.usefixtures("people")
def test_in_and_out(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with opened() as anna, opened() as ben:
            assert (await anna.get("/api/login")).json() == {"needed": True, "passwords": True}
            assert await me(anna) == "invalid_api_key"
            answer = await come_in(anna, "anna")
            assert answer.json() == {"name": "anna", "role": "owner"} and (await come_in(ben, "ben")).status_code == 200
            words = {word.strip().split("=")[0].lower() for word in answer.headers["set-cookie"].split(";")[1:]}
            assert (
                words == {"httponly", "max-age", "path", "samesite"}
                and "SameSite=strict" in answer.headers["set-cookie"]
            )
            assert await me(anna) == "anna" and await me(ben) == "ben"
            before = dict(anna.cookies)
            assert (await come_in(anna, "anna")).status_code == 200 and dict(anna.cookies) != before
            assert await me(opened(), cookies=before) == "invalid_api_key"
            now = dict(anna.cookies)
            assert (await anna.post("/api/logout")).status_code == 200 and not anna.cookies
            assert await me(opened(), cookies=now) == "invalid_api_key" and await me(ben) == "ben"
            assert (await anna.post("/api/logout")).status_code == 200

    browser(go)


@pytest.mark.usefixtures("people")
def test_the_cookie_is_secure_where_the_page_came_by_https(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with opened(headers={"origin": "https://chat.example", "host": "chat.example"}) as client:
            assert "secure" in (await come_in(client, "anna")).headers["set-cookie"].lower()

    browser(go, hosts=None)


@pytest.mark.usefixtures("people")
def test_servers_at_two_ports_leave_each_other_s_cookies(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with opened(headers={"origin": "http://localhost:8001", "host": "localhost:8001"}) as client:
            assert (await come_in(client, "anna")).headers["set-cookie"].startswith("gptwright-8001=")
            assert await me(client) == "anna"

    browser(go)


ELSEWHERE = [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:3000"},
             {"origin": "http://["}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
             OURS | {"sec-fetch-site": "cross-site"}]  # fmt: skip


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_login_counts_for_no_other_page(browser: Any, headers: dict[str, str]) -> None:
    async def go(opened: Browser) -> None:
        async with opened() as anna, opened(headers=headers) as other:
            await come_in(anna, "anna")
            cookies = dict(anna.cookies)
            assert await me(other, cookies=cookies) == "invalid_api_key"
            asks = [("POST", "/api/conversations", {}), ("PATCH", "/api/users/ben", {"role": "owner"}),
                    ("PUT", "/api/me/password", {"password": "x" * 8, "old": PASSWORDS["anna"]}),
                    ("DELETE", "/api/keys/x", {}), ("POST", "/api/logout", {}),
                    ("POST", "/api/login", {"name": "ben", "password": PASSWORDS["ben"]})]  # fmt: skip
            for method, path, body in asks:
                answer = await other.request(method, path, json=body, cookies=cookies)
                assert answer.status_code == 403 and answer.json()["error"]["code"] == "origin_not_allowed", path
                assert "set-cookie" not in answer.headers
            assert await me(anna) == "anna"

    browser(go)


@pytest.mark.usefixtures("people")
def test_what_says_nothing_of_its_page_may_read_and_not_change(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with (
            opened() as anna,
            opened(headers={}) as bare,
            opened(headers={"sec-fetch-site": "same-origin"}) as new,
        ):
            await come_in(anna, "anna")
            cookies = dict(anna.cookies)
            for client, status in ((bare, 403), (new, 201), (anna, 201)):
                assert await me(client, cookies=cookies) == "anna"
                made = await client.post("/api/conversations", json={}, cookies=cookies)
                assert made.status_code == status
            assert await me(new, cookies=cookies, headers={"sec-fetch-site": "none"}) == "anna"

    browser(go)


@pytest.mark.usefixtures("people")
def test_a_miss_tells_nothing(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bool] = []

    def matches(hash: str | None, password: str) -> bool:
        checked.append(hash is None)
        return False

    monkeypatch.setattr("gptwright.serving.password_checks.matches", matches)

    async def go(opened: Browser) -> list[tuple[int, str]]:
        async with opened() as client:
            found = [await come_in(client, name, "wrong words here") for name in ("anna", "nobody", "", "Anna")]
            assert not any("set-cookie" in answer.headers for answer in found)
            return [(answer.status_code, answer.text) for answer in found]

    found = browser(go)
    assert {status for status, _ in found} == {401} and len({text for _, text in found}) == 1
    assert "anna" not in found[0][1] and "wrong words" not in found[0][1]
    assert checked == [False, True, True, True]  # each is checked, so that each takes as long


@pytest.mark.usefixtures("people")
def test_guesses_are_few_by_address_and_by_name(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gptwright.serving.password_checks.matches", lambda _, password: password == PASSWORDS["anna"])

    async def go(opened: Browser) -> None:
        one, two = opened("10.0.0.1"), opened("10.0.0.2")
        for _ in range(2 * FROM_ADDRESS):  # what is right does not count
            assert (await come_in(one, "anna")).status_code == 200
        statuses = [(await come_in(one, "anna", "wrong words here")).status_code for _ in range(FROM_ADDRESS + 1)]
        assert statuses == [401] * FROM_ADDRESS + [429]
        refused = await come_in(one, "anna")
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0
        assert (await come_in(two, "anna")).status_code == 200  # who guesses shuts nobody out elsewhere
        many = [opened(f"10.1.0.{i}") for i in range(FOR_NAME)]
        statuses = [(await come_in(client, "anna", "wrong words here")).status_code for client in many]
        assert statuses == [401] * (FOR_NAME - FROM_ADDRESS) + [429] * FROM_ADDRESS
        assert (await come_in(two, "anna")).status_code == 429 and (await come_in(two, "ben", "x")).status_code == 401

    browser(go)


@pytest.mark.usefixtures("people")
def test_one_household_s_addresses_are_one(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        for i in range(FROM_ADDRESS):
            assert (await come_in(opened(f"2001:db8:1:2::{i + 1}"), f"name{i}", "x")).status_code == 401
        assert (await come_in(opened("2001:db8:1:2:ffff::9"), "anna")).status_code == 429
        for address in ("2001:db8:1:3::1", "::ffff:10.0.0.1", "unix"):
            assert (await come_in(opened(address), "anna")).status_code == 200

    browser(go)


def test_few_checks_wait(store: Store) -> None:
    async def go() -> list[object]:
        checks = PasswordChecks(Transactions(store))
        asked = (checks.hash("three words beside") for _ in range(WAITING + 3))
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert checks.waiting == 0
        return [getattr(one, "status", 200) for one in found]

    assert asyncio.run(go()) == [200] * WAITING + [429] * 3


@pytest.mark.usefixtures("people")
def test_another_password_ends_the_other_logins(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with opened() as here, opened() as there:
            for client in (here, there):
                await come_in(client, "ben")
            path, new = "/api/me/password", "a new password"
            for body, status in (({"password": new, "old": "wrong words"}, 401), ({"password": new}, 401),
                                 ({"password": "short", "old": PASSWORDS["ben"]}, 400)):  # fmt: skip
                refused = await here.put(path, json=body)
                assert refused.status_code == status and str(body["password"]) not in refused.text
            assert (await here.put(path, json={"password": new, "old": PASSWORDS["ben"]})).json()["name"] == "ben"
            assert await me(here) == "ben" and await me(there) == "invalid_api_key"
            assert (await come_in(there, "ben")).status_code == 401
            assert (await come_in(there, "ben", new)).status_code == 200

    browser(go)


@pytest.mark.usefixtures("people")
def test_owners_give_passwords_and_end_them(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with opened() as anna, opened() as ben, opened() as cleo:
            await come_in(anna, "anna")
            await come_in(ben, "ben")
            answer = await anna.patch("/api/users/ben", json={"password": "another of them"})
            assert answer.json()["has_password"] is True and "another" not in answer.text and "argon" not in answer.text
            assert await me(ben) == "invalid_api_key"
            assert (await come_in(ben, "ben", "another of them")).status_code == 200
            assert (await ben.patch("/api/users/anna", json={"password": "mine from now"})).status_code == 403
            made = await anna.post("/api/users", json={"name": "cleo", "role": "labeller", "password": "words of cleo"})
            assert made.status_code == 201 and (await come_in(cleo, "cleo", "words of cleo")).status_code == 200
            for client, name, change in ((ben, "ben", {"active": False}), (cleo, "cleo", {"role": "owner"})):
                assert (await anna.patch(f"/api/users/{name}", json=change)).status_code == 200
                assert await me(client) == ("invalid_api_key" if name == "ben" else "cleo")
            assert (await cleo.get("/api/users")).status_code == 200
            assert (await come_in(ben, "ben", "another of them")).status_code == 401
            await anna.patch("/api/users/ben", json={"active": True})
            assert await me(ben) == "invalid_api_key"

    browser(go)


def test_on_this_machine_nobody_logs_in_until_an_owner_has_a_password(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with opened() as here:
            assert (await here.get("/api/login")).json() == {"needed": False, "passwords": False}
            assert await me(here) == ""
            assert (await here.put("/api/me/password", json={"password": "x" * 8})).status_code == 404
            for name, role in (("ben", "chatter"), ("anna", "owner")):
                assert await me(here) == ""
                body = {"name": name, "role": role, "password": PASSWORDS[name]}
                assert (await here.post("/api/users", json=body)).status_code == 201
            assert await me(here) == "invalid_api_key"
            await come_in(here, "anna")
            assert (await here.patch("/api/users/anna", json={"role": "chatter"})).status_code == 200
            assert await me(opened()) == "invalid_api_key"  # it stays locked while it runs

    browser(go)


def test_a_public_server_is_locked_whoever_there_is(browser: Any) -> None:
    async def go(opened: Browser) -> Any:
        return await me(opened())

    assert browser(go, hosts=None) == "invalid_api_key"


@pytest.mark.usefixtures("people")
def test_a_key_goes_before_a_login(browser: Any) -> None:
    async def go(opened: Browser) -> None:
        async with opened() as client:
            await come_in(client, "ben")
            assert await me(client, headers={"authorization": "Bearer root-key"}) == "root"
            assert await me(client, headers={"authorization": "Bearer wrong"}) == "invalid_api_key"
            assert await me(client) == "ben"

    browser(go, keys={"root": "root-key"})
