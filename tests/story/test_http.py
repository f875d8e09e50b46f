"""The loop over HTTP alone, as a script goes through it on a real server: chat, rank, improve, hear the better model,
take it back."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .conftest import LIKED, QUESTIONS

DRAWN = 6
"""answers to each question, of which two differ but for one question in thirty"""


class Person:
    """Somebody at a server without a login."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def answers(self, question: str, count: int = 1) -> tuple[str, list[Any]]:
        """The id of a question of a new conversation, and answers to it as they are stored."""
        place = f"/api/conversations/{self.ask('POST', '/api/conversations', {'title': question})['id']}"
        asked = self.ask("POST", f"{place}/messages", {"role": "user", "content": question})["id"]
        body = {"message_id": asked, "temperature": 1.0, "max_tokens": 40}
        begun = [self.ask("POST", f"{place}/answers", {**body, "seed": seed})["id"] for seed in range(count)]
        for id in begun:
            assert '"message"' in self.client.get(f"/api/answers/{id}/events").text.splitlines()[-2]
        messages = self.ask("GET", place)["messages"]
        return asked, [message for message in messages if message["role"] == "assistant"]

    def rank(self, question: str) -> bool:
        """What is liked is better than what is not; whether some of the answers are one and some the other."""
        asked, found = self.answers(question, DRAWN)
        ranks = [1 if LIKED in answer["content"] else 2 for answer in found]
        value = {"answers": [answer["id"] for answer in found], "ranks": ranks}
        self.ask("PUT", f"/api/messages/{asked}/labels/ranking", {"value": value})
        return len(set(ranks)) == 2

    def job(self, **asked: Any) -> Any:
        """Asked for, and followed to its end."""
        job = self.ask("POST", "/api/jobs", asked)
        while job["state"] in ("waiting", "running"):
            time.sleep(0.1)
            job = self.ask("GET", f"/api/jobs/{job['id']}")
        assert job["state"] == "done", job
        return job


@pytest.fixture
def anna(served: str) -> Iterator[Person]:
    person = Person(served)
    yield person
    person.client.close()


def test_from_a_chat_to_a_better_model_and_back(anna: Person) -> None:
    before = anna.ask("GET", "/v1/models")["data"][0]["id"]
    _, (first,) = anna.answers("Who walked?")
    assert (first["model"], first["generation"]["finish"]) == (before, "stop") and first["content"]
    anna.ask(
        "PUT", f"/api/messages/{first['id']}/labels/thumb", {"value": "up" if LIKED in first["content"] else "down"}
    )
    anna.ask("PUT", f"/api/messages/{first['id']}/labels/comment", {"value": "Of the rain, please."})

    told = sum(anna.rank(question) for question in QUESTIONS)
    assert told >= 30, "the model says two things"
    state = anna.ask("GET", "/api/teaching")
    assert state["labels"]["ranking"] == len(QUESTIONS) and state["labels"]["thumb"] == 1 and state["new"] > told

    done = anna.job(kind="improve", minutes=1, threads=1)
    outcome = done["result"]["outcome"]
    assert outcome["promoted"] and done["result"]["model"] == "improve-1" and outcome["low"] > 0.5, outcome
    asked = {"model": "latest", "messages": [{"role": "user", "content": "Who walked?"}], "max_tokens": 40, "n": 10}
    reply = anna.ask("POST", "/v1/chat/completions", asked)
    assert reply["model"] == "improve-1"
    assert sum(LIKED in choice["message"]["content"] for choice in reply["choices"]) >= 8
    _, (better,) = anna.answers("Who walked?")
    assert better["model"] == "improve-1" and better["generation"]["weights"] != first["generation"]["weights"]

    anna.job(kind="undo")
    _, (again,) = anna.answers("Who walked?")
    assert (again["model"], again["content"]) == (first["model"], first["content"])
    (version,) = anna.ask("GET", "/api/versions")["versions"]
    assert (version["model"], version["before"], version["undone"]) == ("improve-1", before, True)
    assert not anna.ask("GET", "/api/teaching")["may_undo"]
