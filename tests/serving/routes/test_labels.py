"""What is said of messages over HTTP is what is learned; the last word counts, and may be taken back."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.serving.routes.conftest import Http

from gptwright.store.database import Store
from gptwright.store.exports import FORMATS
from gptwright.store.labels import FLAGS
from gptwright.store.tables import Annotation


def exported(store: Store, format: str) -> list[dict[str, Any]]:
    with store.read() as session:
        return list(FORMATS[format](session))


def rows(store: Store) -> int:
    with store.read() as session:
        return session.query(Annotation).count()


async def two_answers(http: Http) -> tuple[str, str, list[str]]:
    id, (asked, first) = await http.conversation("Hi", "Hello")
    body = {"role": "assistant", "content": "Good day", "parent_id": asked}
    second = await http.ask("POST", f"/api/conversations/{id}/messages", body, status=201)
    return id, asked, [first, second["id"]]


VALUES: list[tuple[str, Callable[[list[str]], Any], bool]] = [  # (kind, value, whether of what was asked)
    ("thumb", lambda _: "up", False),
    ("reason", lambda _: "It is right.", False),
    ("comment", lambda _: "Well said.", False),
    ("rating", lambda _: 7, False),
    ("flags", lambda _: [FLAGS[0], FLAGS[10]], False),
    ("edit", lambda answers: answers[1], False),
    ("demonstration", lambda _: True, False),
    ("ranking", lambda answers: {"answers": answers, "ranks": [1, 1]}, True),
    ("preference", lambda answers: {"answers": answers, "strength": -3}, True),
]


@pytest.mark.parametrize(("kind", "value", "of_asked"), VALUES)
def test_each_kind_is_said_again_taken_back_and_said_anew(
    talk: Any, store: Store, kind: str, value: Callable[[list[str]], Any], of_asked: bool
) -> None:
    async def go(http: Http) -> None:
        _, asked, answers = await two_answers(http)
        message = asked if of_asked else answers[0]
        path, body = f"/api/messages/{message}/labels/{kind}", {"value": value(answers)}
        first, again = [await http.ask("PUT", path, body) for _ in range(2)]
        assert first == again and first["value"] == body["value"] and rows(store) == 1
        assert (await http.ask("GET", f"/api/messages/{message}/labels"))["labels"] == [first]
        gone = await http.ask("DELETE", f"{path}?id={first['id']}")
        assert gone["value"] is None and (await http.ask("GET", f"/api/messages/{message}/labels"))["labels"] == []
        assert (await http.ask("PUT", path, body))["value"] == body["value"] and rows(store) == 3

    talk(go)


WRONG: list[tuple[str, Any]] = [
    ("thumb", "sideways"), ("rating", 8), ("rating", 1.5), ("flags", ["rude"]),
    ("flags", [FLAGS[0], FLAGS[0]]), ("preference", {"answers": ["a", "b"], "strength": 1}), ("ranking", [1, 2]),
    ("edit", "nothing"), ("colour", "red"), ("comment", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_what_is_no_label_is_refused(talk: Any, store: Store, kind: str, value: Any) -> None:
    async def go(http: Http) -> None:
        _, _, (answer, _) = await two_answers(http)
        refused = await http.ask("PUT", f"/api/messages/{answer}/labels/{kind}", {"value": value}, status=400)
        assert refused["error"]["code"] == "invalid_value"

    talk(go)
    assert rows(store) == 0


def test_a_preference_is_a_ranking_with_its_strength(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        _, asked, answers = await two_answers(http)
        path = f"/api/messages/{asked}/labels/preference"
        for strength in (-2, 0, 3):
            await http.ask("PUT", path, {"value": {"answers": answers, "strength": strength}})
            [line] = exported(store, "rankings")
            told = {-2: ([2, 1], 2), 0: ([1, 1], 0), 3: ([1, 2], 3)}[strength]
            assert line["answers"] == ["Hello", "Good day"] and (line["ranks"], line["strength"]) == told
        [pair] = exported(store, "trl")
        assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == ("Hello", "Good day")

    talk(go)


def test_an_edit_and_a_demonstration_are_learned(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        _, _, (first, second) = await two_answers(http)
        await http.ask("PUT", f"/api/messages/{first}/labels/edit", {"value": second})
        await http.ask("PUT", f"/api/messages/{second}/labels/demonstration", {"value": True})

    talk(go)
    [ranked], [shown] = exported(store, "rankings"), exported(store, "demonstrations")
    assert (ranked["answers"], ranked["ranks"]) == (["Good day", "Hello"], [1, 2])
    assert [turn["content"] for turn in shown["messages"]] == ["Hi", "Good day"]


def test_all_of_a_conversation_are_read_at_once(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (_, first, _, second) = await http.conversation("Hi", "Hello", "And?", "Well")
        _, (_, elsewhere) = await http.conversation("Hi", "Hello")
        for message, value in ((first, "up"), (second, "down"), (elsewhere, "up")):
            await http.ask("PUT", f"/api/messages/{message}/labels/thumb", {"value": value})
        await http.ask("DELETE", f"/api/messages/{first}/labels/thumb")
        [label] = (await http.ask("GET", f"/api/conversations/{id}/labels"))["labels"]
        assert (label["message_id"], label["kind"], label["value"]) == (second, "thumb", "down")

    talk(go)
