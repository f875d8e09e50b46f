"""Conversations over HTTP: a tree of messages of one's own."""

import io
from typing import Any

import pytest
from PIL import Image
from tests.serving.conftest import FakeModel
from tests.serving.routes.conftest import Http

from gptwright.images.named import as_data_uri
from gptwright.store.database import Store
from gptwright.store.exports import FORMATS

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


def picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


RED, BLUE = picture("red"), picture("blue")


def shown(*parts: str | bytes) -> list[dict[str, Any]]:
    return [{"type": "text", "text": part} if isinstance(part, str) else
            {"type": "image_url", "image_url": {"url": as_data_uri(part)}} for part in parts]  # fmt: skip


def test_images_are_kept_given_back_and_seen_by_who_answers(talk: Any, model: FakeModel, store: Store) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation()
        path = f"/api/conversations/{id}/messages"
        asked = await http.ask("POST", path, {"role": "user", "content": shown(RED, "Which colour?", BLUE)}, status=201)
        assert asked["content"] == "Which colour?" and asked["parts"] == shown(RED, "Which colour?", BLUE)
        answer = await http.answer(id, asked["id"])
        assert model.seen[-1] == {0: RED, 1: BLUE}
        [read] = [read for read in model.read if read[-1]["content"] == "Which colour?"][-1:]
        assert [(image.at, image.data) for image in read[-1]["images"]] == [(0, RED), (13, BLUE)]
        body = {"role": "user", "content": "And this?", "parent_id": answer["id"]}
        more = await http.ask("POST", path, body, status=201)
        await http.answer(id, more["id"])
        assert model.seen[-1] == {0: RED, 1: BLUE} and "parts" not in more
        tree = await http.ask("GET", f"/api/conversations/{id}")
        assert [message.get("parts") for message in tree["messages"]] == [asked["parts"], None, None, None]
        found = (await http.ask("GET", "/api/conversations?search=colour"))["conversations"]
        assert found[0]["found"]["excerpt"] == "Which colour?"
        assert not (await http.ask("GET", "/api/conversations?search=base64"))["conversations"]
        await http.ask("PUT", f"/api/messages/{answer['id']}/labels/thumb", {"value": "up"})
        await http.ask("POST", "/api/tasks", {"tasks": [{"kind": "rating", "message_id": answer["id"]}]}, status=201)
        task = (await http.ask("POST", "/api/tasks/next", {}))["task"]
        assert task["messages"][0]["parts"] == asked["parts"]

    talk(go)
    with store.read() as session:
        [thumb] = FORMATS["thumbs"](session)
    assert thumb["messages"][0] == {"role": "user", "content": shown(RED, "Which colour?", BLUE)}


def test_a_question_with_images_is_asked_in_one_request(talk: Any, model: FakeModel) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation()
        path, question = f"/api/conversations/{id}/answers", {"content": shown(RED, "Which colour?"), "key": "q"}
        begun = await http.ask("POST", path, {"message": question}, status=202)
        assert begun["question"]["parts"] == question["content"] and begun["question"]["content"] == "Which colour?"
        assert [event async for event in http.events(begun["id"])][-1]["message"]["content"] == model.reply
        assert model.seen[-1] == {0: RED}
        for content in WRONG_PARTS[:-2]:
            refused = await http.ask("POST", path, {"message": {"content": content}}, status=400)
            assert "content" in str(refused["error"]["param"])
        assert len((await http.ask("GET", f"/api/conversations/{id}"))["messages"]) == 2

    talk(go)


WRONG_PARTS: list[Any] = [
    [{"type": "image_url"}], [{"type": "audio"}], ["x"], shown(b"no image", "x"), shown(*[RED] * 17, "x"),
    [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}, *shown("x")],
    [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, *shown("x")], 5, None,
]  # fmt: skip


@pytest.mark.parametrize("content", WRONG_PARTS)
def test_parts_that_cannot_be_read_are_refused_by_name(talk: Any, content: Any) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation()
        path = f"/api/conversations/{id}/messages"
        refused = await http.ask("POST", path, {"role": "user", "content": content}, status=400)
        assert str(refused["error"]["param"]).startswith("content")
        assert (await http.ask("GET", f"/api/conversations/{id}"))["messages"] == []

    talk(go)


def test_only_the_user_shows_images_and_parts_of_text_are_a_text(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation()
        path = f"/api/conversations/{id}/messages"
        refused = await http.ask("POST", path, {"role": "system", "content": shown(RED, "x")}, status=400)
        assert refused["error"]["param"] == "content"
        said = await http.ask("POST", path, {"role": "user", "content": shown("one", "two")}, status=201)
        assert said["content"] == "one\ntwo" and "parts" not in said

    talk(go)


def test_more_images_than_are_shown_at_once_are_said_when_it_is_to_be_answered(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation()
        last = None
        for _ in range(2):
            body = {"role": "user", "content": shown(*[RED] * 9), "parent_id": last}
            last = (await http.ask("POST", f"/api/conversations/{id}/messages", body, status=201))["id"]
        asked = {"message_id": last}
        refused = await http.ask("POST", f"/api/conversations/{id}/answers", asked, status=400)
        assert refused["error"]["param"] == "message_id" and "18" in refused["error"]["message"]

    talk(go)
