"""Answers in stored conversations: they outlive who asked, are read from anywhere, and say how they came about."""

import asyncio
import json
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
        [event] = [event async for event in http.events(begun["id"]) if "place" not in event]
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
    ("field", "value"), [("messages", []), ("n", 2), ("stream", "yes"), ("truncation", "auto"), ("temperature", 3)]
)
def test_what_is_not_honoured_is_named(talk: Any, field: str, value: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        body = {"message_id": asked, field: value}
        refused = await http.ask("POST", f"/api/conversations/{id}/answers", body, status=400)
        assert refused["error"]["param"] == field

    talk(go)


async def streamed(http: Http, id: str, **body: Any) -> list[Any]:
    """The events of an answer that is asked for and followed in one request."""
    path = f"/api/conversations/{id}/answers"
    async with http.client.stream("POST", path, json={"stream": True, **body}) as response:
        assert response.status_code == 200, await response.aread()
        lines = [line async for line in response.aiter_lines()]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_a_question_and_its_answer_are_one_request(talk: Any, model: FakeModel) -> None:
    async def go(http: Http) -> None:
        id, (first, answered) = await http.conversation("Hi", "Hello")
        question = {"content": "And you?", "parent_id": answered, "key": "q1"}
        begun, *pieces, last = await streamed(http, id, message=question, key="a1", seed=3)
        assert (begun["question"]["content"], begun["question"]["parent_id"]) == ("And you?", answered)
        assert begun["answer"]["parent_id"] == begun["question"]["id"] and begun["answer"]["seed"] == 3
        assert "".join(piece["text"] for piece in pieces) == last["message"]["content"] == model.reply
        assert last["message"]["id"] == begun["answer"]["id"] and last["message"]["generation"]["tokens"] == 4
        assert [turn["content"] for turn in model.asked[0][0]] == ["Hi", "Hello", "And you?"]
        whole = await http.ask("GET", f"/api/conversations/{id}")
        assert [m["id"] for m in whole["messages"]] == [first, answered, begun["question"]["id"], begun["answer"]["id"]]
        again, *_, kept = await streamed(http, id, message=question, key="a1", seed=3)
        assert (again["question"], kept["message"]) == (begun["question"], last["message"])
        assert len((await http.ask("GET", f"/api/conversations/{id}"))["messages"]) == 4

    talk(go)


def test_a_question_with_its_key_is_asked_once_by_many_at_once(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation("Hi", "Hello")
        body = {"message": {"content": "You?", "parent_id": None, "key": "q"}, "key": "a"}
        every = await asyncio.gather(*[streamed(http, id, **body) for _ in range(4)])
        assert len({(events[0]["question"]["id"], events[-1]["message"]["id"]) for events in every}) == 1

    talk(go)
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 4


def test_a_question_whose_answer_is_refused_is_not_stored(talk: Any, model: FakeModel) -> None:
    async def go(http: Http) -> None:
        id, _ = await http.conversation("Hi", "Hello")
        _, (elsewhere,) = await http.conversation("Hi")
        path = f"/api/conversations/{id}/answers"
        refusals = [({"content": "a " * 70}, {}, 400), ({"content": "a"}, {"model": "none"}, 404),
                    ({"content": "a"}, {"temperature": 9}, 400), ({"content": "a", "parent_id": elsewhere}, {}, 404),
                    ({"content": "a", "role": "system"}, {}, 400)]  # fmt: skip
        for message, rest, status in refusals:
            await http.ask("POST", path, {"message": message, "stream": True, **rest}, status=status)
        for neither in ({}, {"message": {"content": "a"}, "message_id": elsewhere}):
            refused = await http.ask("POST", path, neither, status=400)
            assert "message_id" in refused["error"]["message"]
        assert len((await http.ask("GET", f"/api/conversations/{id}"))["messages"]) == 2

    talk(go)


def test_a_conversation_says_what_is_being_written_in_it(talk: Any, model: FakeModel) -> None:
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        other, _ = await http.conversation("Hi")
        begun = await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)
        model.gate.set()
        await until(lambda: model.made)
        await anext(http.events(begun["id"]))
        [writing] = (await http.ask("GET", f"/api/conversations/{id}"))["writing"]
        assert writing == {"id": begun["id"], "parent_id": asked, "model": "tiny", "tokens": 1, "offset": 5}
        assert (await http.ask("GET", f"/api/conversations/{other}"))["writing"] == []
        model.paced = False
        model.gate.set()
        _ = [event async for event in http.events(begun["id"])]
        whole = await http.ask("GET", f"/api/conversations/{id}")
        assert whole["writing"] == [] and whole["messages"][-1]["content"] == model.reply

    talk(go, network=True)


def test_an_answer_that_waits_says_its_place_in_line(talk: Any, model: FakeModel, monkeypatch: Any) -> None:
    monkeypatch.setattr(live_answers, "LOOK", 0.01)
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        path, body = f"/api/conversations/{id}/answers", {"message_id": asked}
        first = await http.ask("POST", path, body, status=202)
        await until(lambda: model.open_now)
        _, third = [await http.ask("POST", path, body, status=202) for _ in range(2)]
        events = http.events(third["id"])
        assert await anext(events) == {"place": 2}
        await http.ask("POST", f"/api/answers/{first['id']}/stop")
        model.paced = False
        model.gate.set()
        rest = [event async for event in events]
        places = [event["place"] for event in rest if "place" in event]
        assert places in ([1, 0], [0]) and rest[-1]["message"]["content"] == model.reply

    talk(go, network=True)


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
