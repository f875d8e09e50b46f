"""Three people label over HTTP while the server is killed again and again: no label is lost, none is there twice.

`make test-labels` does it with 10,000 labels.
"""

import multiprocessing
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from tests.serving.routes.labelling_server import serve
from tests.serving.test_access import members

from gptwright.serving.server import take_port
from gptwright.store.database import Store
from gptwright.store.labels import labels
from gptwright.store.messages import add_conversation, add_message, as_parts
from gptwright.store.tables import Annotation, Message

LABELS = int(os.environ.get("LABELS", "90"))
KILLS = max(3, LABELS // 500)
PEOPLE = ("anna", "ben", "cleo")


class Server:
    """A server that is killed and started again at one address. Each is forked from a process that has read the
    libraries."""

    def __init__(self, store: str) -> None:
        with take_port("127.0.0.1", 0) as held:
            self.port = held.getsockname()[1]
        self.store, self.forks = store, multiprocessing.get_context("forkserver")
        self.forks.set_forkserver_preload([serve.__module__])
        self.process = self._started()

    def _started(self) -> BaseProcess:
        process = self.forks.Process(target=serve, args=(self.store, self.port), daemon=True)
        process.start()
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/health").raise_for_status()
                return process
            except httpx.HTTPError:
                time.sleep(0.01)

    def kill(self) -> None:
        """As a fall of the machine ends it, but for what the system holds for the disk."""
        self.process.kill()
        self.process.join()

    def kill_and_start(self) -> None:
        self.kill()
        self.process = self._started()


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    found = Server(store.name)
    yield found
    found.kill()


class Labeller:
    """Somebody who takes the next task and says it until there is none; what is refused or breaks is asked again."""

    def __init__(self, port: int, key: str, seed: int) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"})
        self.dice = random.Random(seed)
        self.confirmed: dict[str, int] = {}

    def post(self, path: str, body: Any) -> Any:
        while True:
            try:
                answer = self.client.post(path, json=body, timeout=60)
            except httpx.HTTPError:
                time.sleep(0.01)
                continue
            assert answer.status_code == 200, answer.text
            return answer.json()

    def work(self) -> None:
        while task := self.post("/api/tasks/next", {})["task"]:
            value = self.dice.randint(1, 7)
            label = {"kind": "rating", "message_id": task["message_id"], "value": value}
            self.post(f"/api/tasks/{task['id']}/submit", {"labels": [label]})
            self.confirmed[task["id"]] = value
        self.client.close()


def answers(store: Store) -> list[str]:
    """As many as are labelled."""
    with store.write() as session:
        talk = add_conversation(session)
        asked = add_message(session, talk.id, None, "user", "Hi")
        rows = [{"id": f"answer-{i}", "conversation_id": talk.id, "parent_id": asked.id, "role": "assistant",
                 "content": as_parts(f"Answer {i}")} for i in range(LABELS)]  # fmt: skip
        session.execute(insert(Message), rows)
        return [str(row["id"]) for row in rows]


def test_no_label_is_lost_and_none_is_there_twice(store: Store, server: Server) -> None:
    keys = members(store, *((name, "labeller") for name in PEOPLE))
    ids = answers(store)
    for start in range(0, LABELS, 2000):
        tasks = [{"kind": "rating", "message_id": id} for id in ids[start : start + 2000]]
        httpx.post(f"http://127.0.0.1:{server.port}/api/tasks", json={"tasks": tasks}, timeout=60).raise_for_status()
    people = [Labeller(server.port, keys[name], seed) for seed, name in enumerate(PEOPLE)]
    threads = [threading.Thread(target=person.work, daemon=True) for person in people]
    for thread in threads:
        thread.start()
    for number in range(1, KILLS + 1):
        while sum(len(person.confirmed) for person in people) < LABELS * number // (KILLS + 1):
            time.sleep(0.001)
        server.kill_and_start()
    for thread in threads:
        thread.join()
    confirmed = {task: (name, value) for name, person in zip(PEOPLE, people, strict=True)
                 for task, value in person.confirmed.items()}  # fmt: skip
    with store.read() as session:
        found = labels(session)
        assert {label.task_id: (label.author, label.value) for label in found} == confirmed
        assert len(found) == len(confirmed) == sum(len(person.confirmed) for person in people) == LABELS
        assert Counter(label.message_id for label in found) == Counter(ids)
        assert session.query(Annotation).count() == LABELS
