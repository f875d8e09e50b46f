"""Answers in stored conversations: they outlive who asked, are read from anywhere, and say how they came about."""

import asyncio
import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from tests.serving.conftest import FakeModel, running
from tests.serving.routes.conftest import Http

from gptwright.serving.api import create_app
from gptwright.serving.routes import live_answers
from gptwright.store.database import Store, open_store
from gptwright.store.tables import Message


async def until(true: Any) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never came")


def test_an_answer_says_how_it_came_about(talk: Any, model: FakeModel) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi you")
        message = await http.answer(id, asked, temperature=0.5, seed=7, max_tokens=20)
        assert (message["content"], message["parent_id"], message["model"]) == (model.reply, asked, "tiny")
        whole = (await http.ask("GET", f"/api/answers/{message['id']}"))["message"]["generation"]
        assert (whole["weights"], whole["seed"], whole["finish"], whole["dropped"]) == ("abc", 7, "stop", 0)
        assert (whole["sampling"]["temperature"], whole["sampling"]["max_tokens"]) == (0.5, 20)
        assert whole["prompt_ids"] == [whole["prompt_ids"][0]] * 2
        assert 0 <= whole["seconds"]["waited"] <= whole["seconds"]["first"] <= whole["seconds"]["all"]
        assert "prompt_ids" not in message["generation"]
        assert (await http.ask("GET", f"/api/conversations/{id}"))["leaf"] == message["id"]

    talk(go, origins={"tiny": {"weights": "abc"}})


def test_each_has_a_seed_that_is_told_and_again_is_another_beside_it(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        first, again = [await http.answer(id, asked) for _ in range(2)]
        assert first["id"] != again["id"] and first["parent_id"] == again["parent_id"] == asked
        assert first["generation"]["seed"] != again["generation"]["seed"]

    talk(go)


def test_it_is_written_to_its_end_when_nobody_listens(talk: Any, model: FakeModel) -> None:
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        begun = await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)
        model.gate.set()
        async for event in http.events(begun["id"]):  # one piece, and the listener is gone
            assert event == {"text": "Hello", "offset": 5}
            break
        model.paced = False
        model.gate.set()
        await until(lambda: not model.open_now)
        pieces = [event async for event in http.events(begun["id"], last="5")]
        assert "Hello" + "".join(event.get("text", "") for event in pieces) == model.reply
        assert pieces[-1]["message"]["content"] == model.reply

    talk(go, network=True)


@pytest.mark.parametrize("offset", [0, 3, 23, 1000])
def test_it_is_read_from_anywhere_while_and_after_it_is_written(talk: Any, model: FakeModel, offset: int) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        begun = await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)

        async def read() -> str:
            return "".join([event.get("text", "") async for event in http.events(begun["id"], offset)])

        together = await asyncio.gather(read(), read(), read())
        assert {*together, await read()} == {model.reply[offset:]}

    talk(go)


def test_asked_again_with_its_key_it_is_written_once(talk: Any, model: FakeModel, store: Store) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        body = {"message_id": asked, "key": "k1"}
        headers: dict[str, Any] = {"url": f"/api/conversations/{id}/answers", "json": body}
        both = await asyncio.gather(*[http.client.post(**headers) for _ in range(4)])
        assert len({answer.json()["id"] for answer in both}) == 1
        _ = [event async for event in http.events(both[0].json()["id"])]
        assert (await http.client.post(**headers)).json()["message"]["content"] == model.reply

    talk(go)
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 2


def test_stopped_it_keeps_what_is_written_and_can_be_continued(talk: Any, model: FakeModel) -> None:
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        begun = await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)
        model.gate.set()
        await until(lambda: model.made)
        stream = http.events(begun["id"])
        await anext(stream)
        stopped = (await http.ask("POST", f"/api/answers/{begun['id']}/stop"))["message"]
        assert (stopped["content"], stopped["generation"]["finish"]) == ("Hello", "cancelled")
        assert [event async for event in stream] == [{"message": stopped}]
        assert (await http.ask("POST", f"/api/answers/{begun['id']}/stop"))["message"] == stopped
        model.paced, model.reply = False, "and more"
        model.gate.set()
        further = await http.answer(id, stopped["id"])
        assert (further["content"], further["parent_id"]) == ("Helloand more", asked)
        assert further["generation"]["continues"] == stopped["id"]

    talk(go, network=True)


def test_its_time_is_bounded(talk: Any, model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_answers, "SECONDS", 0.05)
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        message = await http.answer(id, asked)
        assert (message["content"], message["generation"]["finish"]) == ("", "cancelled")
        model.paced = False
        model.gate.set()

    talk(go)


def test_so_many_at_once_and_no_more(talk: Any, model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_answers, "EACH", 2)
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        path, body = f"/api/conversations/{id}/answers", {"message_id": asked}
        begun = [await http.ask("POST", path, body, status=202) for _ in range(2)]
        assert (await http.ask("POST", path, body, status=429))["error"]["code"] == "queue_full"
        model.paced = False
        model.gate.set()
        for one in begun:
            assert [event async for event in http.events(one["id"])][-1]["message"]["content"] == model.reply

    talk(go)


def test_a_long_conversation_is_trimmed_and_the_answer_says_so(talk: Any, model: FakeModel) -> None:
    async def go(http: Http) -> None:
        id, messages = await http.conversation("a " * 30, "b " * 10, "c " * 20)
        message = await http.answer(id, messages[-1])
        assert message["generation"]["dropped"] == 2
        id, (too_long,) = await http.conversation("a " * 70)
        path = f"/api/conversations/{id}/answers"
        refused = await http.ask("POST", path, {"message_id": too_long}, status=400)
        assert refused["error"]["code"] == "context_length_exceeded"

    talk(go)


def test_a_model_that_fails_leaves_no_answer(talk: Any, model: FakeModel) -> None:
    model.reply = "crash"

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        begun = await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)
        [event] = [event async for event in http.events(begun["id"])]
        assert event["error"]["code"] == "internal_error" and "somebody" not in str(event)
        await http.ask("GET", f"/api/answers/{begun['id']}", status=404)
        assert len((await http.ask("GET", f"/api/conversations/{id}"))["messages"]) == 1

    talk(go)


def test_an_answer_that_cannot_be_stored_is_told(talk: Any, model: FakeModel, store: Store) -> None:
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        begun = await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)
        with open_store(store.name) as other, other.write():
            model.paced = False
            model.gate.set()
            events = [event async for event in http.events(begun["id"])]
        assert events[-1]["error"]["code"] == "not_saved"

    talk(go)


@pytest.mark.parametrize(
    ("field", "value"), [("messages", []), ("n", 2), ("stream", True), ("truncation", "auto"), ("temperature", 3)]
)
def test_what_is_not_honoured_is_named(talk: Any, field: str, value: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        body = {"message_id": asked, field: value}
        refused = await http.ask("POST", f"/api/conversations/{id}/answers", body, status=400)
        assert refused["error"]["param"] == field

    talk(go)


def test_an_answer_is_to_a_message_of_the_conversation(talk: Any) -> None:
    async def go(http: Http) -> None:
        one, _ = await http.conversation("Hi")
        _, (other,) = await http.conversation("Hi")
        for message in (other, "nothing"):
            await http.ask("POST", f"/api/conversations/{one}/answers", {"message_id": message}, status=404)

    talk(go)


def test_a_server_that_stops_keeps_what_is_written(model: FakeModel, store: Store) -> None:
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)
        model.gate.set()
        await until(lambda: model.made)

    async def opened(address: str) -> None:
        async with httpx.AsyncClient(base_url=address) as client:
            await go(Http(client))

    with running(create_app({model.name: model}, store)) as address:  # pyright: ignore[reportArgumentType]
        asyncio.run(opened(address))
        model.paced = False
        model.reply = model.reply + " more" * 5
        threading.Timer(0.05, model.gate.set).start()
    with store.read() as session:
        answer = session.scalars(select(Message).where(Message.role == "assistant")).one()
        assert answer.generation and answer.generation["finish"] in ("cancelled", "stop")
        assert answer.content[0]["text"].startswith("Hello")
