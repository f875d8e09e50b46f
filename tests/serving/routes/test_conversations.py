"""Conversations over HTTP: a tree of messages of one's own."""

from typing import Any

import pytest
from tests.serving.routes.conftest import Http

KEYS = {"anna": "a-key", "ben": "b-key"}


def test_a_conversation_is_made_named_filed_pinned_deleted_and_taken_back(talk: Any) -> None:
    async def go(http: Http) -> None:
        made = await http.ask("POST", "/api/conversations", {"title": "Cats", "folder": "animals"}, status=201)
        one, other = f"/api/conversations/{made['id']}", (await http.conversation("x"))[0]
        assert (made["title"], made["folder"], made["pinned"], made["deleted"]) == ("Cats", "animals", False, None)
        changed = await http.ask("PATCH", one, {"title": "More cats", "pinned": True})
        assert (changed["title"], changed["folder"], changed["pinned"]) == ("More cats", "animals", True)

        async def listed(query: str = "") -> list[str]:
            found = await http.ask("GET", f"/api/conversations{query}")
            return [conversation["id"] for conversation in found["conversations"]]

        assert await listed() == [made["id"], other]
        assert await listed("?folder=animals") == [made["id"]] and await listed("?offset=1&limit=1") == [other]
        assert (await http.ask("DELETE", one))["deleted"] > 0
        await http.ask("GET", one, status=404)
        await http.ask("DELETE", one, status=404)
        assert await listed() == [other] and await listed("?deleted=true") == [made["id"]]
        await http.ask("PATCH", one, {"deleted": False})
        assert (await http.ask("GET", one))["messages"] == [] and await listed() == [made["id"], other]

    talk(go)


def test_an_edited_question_and_an_edited_answer_stand_beside_the_first(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked, answered) = await http.conversation("Hi", "Hello")
        path = f"/api/conversations/{id}/messages"
        await http.ask("POST", path, {"role": "user", "content": "Hey", "parent_id": None}, status=201)
        edit = {"role": "assistant", "content": "Hello!", "parent_id": asked}
        last = await http.ask("POST", path, edit, status=201)
        tree = await http.ask("GET", f"/api/conversations/{id}")
        told = [(message["content"], message["parent_id"]) for message in tree["messages"]]
        assert told == [("Hi", None), ("Hello", asked), ("Hey", None), ("Hello!", asked)]
        assert tree["leaf"] == last["id"]
        back = await http.ask("PATCH", f"/api/conversations/{id}", {"leaf": answered})
        assert back["leaf"] == answered

    talk(go)


def test_a_message_that_is_sent_again_is_there_once(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation()
        body = {"role": "user", "content": "Hi", "key": "k1"}
        path = f"/api/conversations/{id}/messages"
        first, again = [await http.ask("POST", path, body, status=201) for _ in range(2)]
        assert first == again and len((await http.ask("GET", f"/api/conversations/{id}"))["messages"]) == 1

    talk(go)


def test_words_are_found_and_shown_where_they_are(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (_, answered) = await http.conversation("Where is the cat?", "The cat is in the Garden.")
        found = (await http.ask("GET", "/api/conversations?search=garden CAT"))["conversations"]
        assert [(one["id"], one["found"]) for one in found] == [
            (id, {"message_id": answered, "excerpt": "The cat is in the Garden."})
        ]
        assert (await http.ask("GET", "/api/conversations?search=dog"))["conversations"] == []

    talk(go)


WRONG = [
    ("POST", "/api/conversations", {"titel": "x"}, "titel"),
    ("POST", "/api/conversations", {"title": "x" * 201}, "title"),
    ("PATCH", "/api/conversations/{id}", {"pinned": 1}, "pinned"),
    ("POST", "/api/conversations/{id}/messages", {"role": "tool", "content": "x"}, "role"),
    ("POST", "/api/conversations/{id}/messages", {"role": "assistant", "content": "x"}, "parent_id"),
    ("POST", "/api/conversations/{id}/messages", {"role": "user", "content": "x", "key": "a b"}, "key"),
    ("GET", "/api/conversations?limit=0", None, "limit"),
    ("GET", "/api/conversations?colour=red", None, "colour"),
]


@pytest.mark.parametrize(("method", "path", "body", "param"), WRONG)
def test_what_is_wrong_is_named(talk: Any, method: str, path: str, body: Any, param: str) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation()
        refused = await http.ask(method, path.format(id=id), body, status=400)
        assert refused["error"]["param"] == param

    talk(go)


def test_messages_follow_those_of_their_own_conversation(talk: Any) -> None:
    async def go(http: Http) -> None:
        one, _ = await http.conversation()
        other, (message,) = await http.conversation("x")
        for parent in (message, "nothing"):
            body = {"role": "user", "content": "Hi", "parent_id": parent}
            await http.ask("POST", f"/api/conversations/{one}/messages", body, status=400)
        await http.ask("PATCH", f"/api/conversations/{one}", {"leaf": message}, status=404)
        assert (await http.ask("GET", f"/api/conversations/{other}"))["leaf"] == message

    talk(go)
