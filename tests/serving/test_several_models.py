"""Several models and several keys behind one server."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.serving.conftest import FakeModel

from gptwright.foundations.errors import ArtifactError
from gptwright.serving.routes.jobs import Improving

CHAT = [{"role": "user", "content": "Hi"}]


def ask(client: Any, path: str, body: Any = None, key: str | None = None, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with client(**options) as c:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return await (c.get(path, headers=headers) if body is None else c.post(path, json=body, headers=headers))

    return asyncio.run(go())


def test_each_model_answers_by_its_name(client: Any, model: FakeModel) -> None:
    other = FakeModel(reply="from the other")
    listed = ask(client, "/v1/models", more={"second": other}).json()["data"]
    assert [card["id"] for card in listed] == [model.name, "second"]
    for name, reply in ((model.name, model.reply), ("second", other.reply)):
        answer = ask(client, "/v1/chat/completions", {"model": name, "messages": CHAT}, more={"second": other}).json()
        assert (answer["model"], answer["choices"][0]["message"]["content"]) == (name, reply)
        assert ask(client, f"/v1/models/{name}", more={"second": other}).json()["id"] == name


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/feedback"])
def test_an_unknown_model_is_404_with_the_names(client: Any, model: FakeModel, path: str) -> None:
    rated = {"conversation": [*CHAT, {"role": "assistant", "content": "x"}], "rating": "up"}
    body = {"model": "third"} | ({"messages": CHAT} if path.startswith("/v1") else rated)
    answer = ask(client, path, body, more={"second": FakeModel()})
    error = answer.json()["error"]
    assert answer.status_code == 404 and error["code"] == "model_not_found" and error["param"] == "model"
    assert f"'{model.name}', 'second'" in error["message"]


def test_feedback_says_which_model_and_whose_key(client: Any, rated: Any) -> None:
    keys = {"anna": "secret-a", "ben": "secret-b"}
    for model, key in (("second", "secret-b"), (None, "secret-a")):
        body = {"conversation": [*CHAT, {"role": "assistant", "content": "x"}], "rating": "up", "model": model}
        assert ask(client, "/feedback", body, key, more={"second": FakeModel()}, keys=keys).status_code == 200
    assert [(line["model"], line["user"]) for line in rated()] == [("second", "ben"), ("tiny", "anna")]
    assert ask(client, "/v1/models", key="secret-c", keys=keys).status_code == 401


def test_a_card_tells_where_a_model_comes_from_and_which_is_the_default(client: Any) -> None:
    origin = {"stage": "ppo", "run": "start", "base": "04-sft", "weights": "abc", "created": 5, "aliases": ["chat"]}
    known: dict[str, Any] = {"more": {"second": FakeModel()}, "origins": {"second": origin}}
    first, second = ask(client, "/v1/models", **known).json()["data"]
    assert first["default"] is True and first["aliases"] == ["latest"] and first["created"] > 5
    assert [first[name] for name in ("stage", "run", "base", "weights")] == [None] * 4
    assert second["default"] is False and {name: second[name] for name in origin} == origin


@pytest.mark.parametrize(("alias", "name"), [("chat", "second"), ("latest", "tiny")])
def test_an_alias_is_answered_by_its_model_which_says_its_name(client: Any, alias: str, name: str) -> None:
    known: dict[str, Any] = {"more": {"second": FakeModel()}, "origins": {"second": {"aliases": ["chat"]}}}
    answer = ask(client, "/v1/chat/completions", {"model": alias, "messages": CHAT}, **known)
    assert answer.json()["model"] == name and ask(client, f"/v1/models/{alias}", **known).json()["id"] == name


def test_versions_are_told_or_it_is_said_that_they_cannot_be_read(client: Any) -> None:
    def improving(versions: Any) -> Any:
        return Improving(lambda _: [], lambda: None, least=20, outcome=lambda _: {}, prompts=tuple,  # pyright: ignore[reportArgumentType]
                         may_undo=lambda: False, versions=versions)  # fmt: skip

    def damaged() -> Any:
        raise ArtifactError("promotions", "something else", "Restore the file.")

    told = {"model": "improve-1", "before": "08-ppo", "when": 5, "figures": {}, "undone": False}
    assert ask(client, "/api/versions").json() == {"versions": []}
    assert ask(client, "/api/versions", improving=improving(lambda: [told])).json() == {"versions": [told]}
    refused = ask(client, "/api/versions", improving=improving(damaged))
    assert refused.status_code == 503 and refused.json()["error"]["code"] == "not_read"


def test_a_model_called_latest_is_that_model(client: Any) -> None:
    known: dict[str, Any] = {"more": {"latest": FakeModel()}}
    first, second = ask(client, "/v1/models", **known).json()["data"]
    assert first["aliases"] == second["aliases"] == []
    assert ask(client, "/v1/models/latest", **known).json()["id"] == "latest"
