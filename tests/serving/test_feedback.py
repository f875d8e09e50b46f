"""Ratings over HTTP: what is sent is what is kept, and the last word counts."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from gptwright.foundations.errors import ResourceError
from gptwright.store.database import Store, open_store
from gptwright.store.tables import Annotation, Message

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello\n“你好” \u2028 </script>"}]
Rated = Callable[[], list[dict[str, Any]]]


def post(make: Any, body: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with make() as client:
            return await client.post("/feedback", json=body)

    return asyncio.run(go())


def count(store: Store, table: Any) -> int:
    with store.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_rating_is_kept_and_reads_back(client: Any, rated: Rated) -> None:
    answer = post(client, {"conversation": CHAT, "rating": "up", "id": "m1"})
    assert answer.status_code == 200 and answer.json() == {"id": "m1", "rating": "up"}
    [line] = rated()
    assert set(line) == {"id", "time", "rating", "messages", "model"}
    assert (line["rating"], line["model"], line["messages"]) == ("up", "tiny", CHAT)


def test_a_changed_mind_replaces(client: Any, store: Store, rated: Rated) -> None:
    for id, rating in (("a", "up"), ("b", "up"), ("a", "down"), ("a", "down")):
        post(client, {"conversation": CHAT, "rating": rating, "id": id})
    assert [(line["id"], line["rating"]) for line in rated()] == [("b", "up"), ("a", "down")]
    assert count(store, Annotation) == 4 and count(store, Message) == 2


def test_without_an_id_the_text_is_the_id(client: Any, rated: Rated) -> None:
    first = post(client, {"conversation": CHAT, "rating": "up"}).json()["id"]
    assert post(client, {"conversation": CHAT, "rating": "down"}).json()["id"] == first
    assert post(client, {"conversation": [CHAT[0], {**CHAT[1], "content": "x"}], "rating": "up"}).json()["id"] != first
    assert [line["rating"] for line in rated()] == ["down", "up"]


WRONG = [
    {"conversation": CHAT[:1], "rating": "up"},
    {"conversation": [], "rating": "up"},
    {"conversation": CHAT, "rating": "sideways"},
    {"conversation": CHAT},
    {"rating": "up"},
    {"conversation": CHAT, "rating": "up", "id": "../../etc"},
    {"conversation": CHAT, "rating": "up", "id": ""},
    {"conversation": CHAT, "rating": "up", "more": 1},
]


@pytest.mark.parametrize("body", WRONG)
def test_what_is_not_feedback_is_not_stored(client: Any, store: Store, body: Any) -> None:
    assert post(client, body).status_code == 400 and count(store, Annotation) == count(store, Message) == 0


def test_a_refusing_disk_is_told_without_the_path(client: Any, store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path / "run") as other, other.write():  # somebody writes for longer than one waits
        with pytest.raises(ResourceError, match="locked"), store.write():
            pass
        answer = post(client, {"conversation": CHAT, "rating": "up"})
    assert answer.status_code == 503 and str(tmp_path) not in answer.text
    assert post(client, {"conversation": CHAT, "rating": "up"}).status_code == 200
