"""Ratings: what is sent is what is read, nothing is lost, and the last word counts."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError, ResourceError
from gptwright.serving.feedback import FeedbackFile

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello\n“你好” \u2028 </script>"}]


def post(make: Any, body: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with make() as client:
            return await client.post("/feedback", json=body)

    return asyncio.run(go())


def test_a_rating_is_one_line_that_reads_back(client: Any, feedback: Path) -> None:
    answer = post(client, {"conversation": CHAT, "rating": "up", "id": "m1"})
    assert answer.status_code == 200 and answer.json() == {"id": "m1", "rating": "up"}
    [line] = feedback.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert set(json.loads(line)) == {"id", "time", "rating", "messages", "model"}
    [rating] = FeedbackFile(feedback).read()
    assert (rating.rating, rating.model, list(rating.messages)) == ("up", "tiny", CHAT)


def test_a_changed_mind_replaces(client: Any, feedback: Path) -> None:
    for id, rating in (("a", "up"), ("b", "up"), ("a", "down"), ("a", "down")):
        post(client, {"conversation": CHAT, "rating": rating, "id": id})
    assert [(t.id, t.rating) for t in FeedbackFile(feedback).read()] == [("b", "up"), ("a", "down")]
    assert len(feedback.read_text(encoding="utf-8").splitlines()) >= 4


def test_without_an_id_the_text_is_the_id(client: Any, feedback: Path) -> None:
    first = post(client, {"conversation": CHAT, "rating": "up"}).json()["id"]
    assert post(client, {"conversation": CHAT, "rating": "down"}).json()["id"] == first
    assert post(client, {"conversation": [CHAT[0], {**CHAT[1], "content": "x"}], "rating": "up"}).json()["id"] != first
    assert [t.rating for t in FeedbackFile(feedback).read()] == ["down", "up"]


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
def test_what_is_not_feedback_is_not_stored(client: Any, feedback: Path, body: Any) -> None:
    assert post(client, body).status_code == 400 and not feedback.exists()


def test_a_line_cut_short_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "feedback.jsonl"
    store = FeedbackFile(path)
    store.add(CHAT, "up", "tiny", "a")
    with path.open("ab") as file:
        file.write(b'{"id": "b", "rating": "u')
    store.add(CHAT, "down", "tiny", "c")
    assert [t.id for t in FeedbackFile(path).read()] == ["a", "c"]
    assert "line 2" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "line", ["3", "{}", '{"id": "a", "time": "", "rating": "x", "messages": [], "model": ""}', "null"]
)
def test_a_line_of_another_kind_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(ArtifactError, match="line 2"):
        FeedbackFile(path).read()


def test_no_file_is_no_ratings(tmp_path: Path) -> None:
    assert FeedbackFile(tmp_path / "nothing.jsonl").read() == ()


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    stores = [FeedbackFile(tmp_path / "feedback.jsonl") for _ in range(4)]

    def rate(number: int) -> None:
        for i in range(10):
            stores[number].add(CHAT, "up", "tiny", f"{number}-{i}")

    threads = [threading.Thread(target=rate, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(FeedbackFile(tmp_path / "feedback.jsonl").read()) == 40


def test_a_refusing_disk_is_told_without_the_path(client: Any, feedback: Path) -> None:
    feedback.parent.parent.mkdir(exist_ok=True)
    feedback.parent.write_text("a file where the folder should be")
    with pytest.raises(ResourceError):
        FeedbackFile(feedback).add(CHAT, "up", "tiny")
    answer = post(client, {"conversation": CHAT, "rating": "up"})
    assert answer.status_code == 503 and str(feedback.parent) not in answer.text


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), rating=st.sampled_from(["up", "down"]))
def test_any_text_survives(tmp_path: Path, text: str, rating: Any) -> None:
    path = tmp_path / "feedback.jsonl"
    path.unlink(missing_ok=True)
    FeedbackFile(path).add([{"role": "assistant", "content": text}], rating, "tiny")
    assert [(t.messages[0]["content"], t.rating) for t in FeedbackFile(path).read()] == [(text, rating)]
