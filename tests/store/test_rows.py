"""A whole store as lines: what comes out of one database goes into another, and comes out the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.store.database import Store, open_store
from gptwright.store.jobs import add_job
from gptwright.store.labels import annotate, withdraw
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.rows import dump_rows, load_rows
from gptwright.store.tasks import add_task, take_task


def dumped(store: Store) -> list[dict[str, Any]]:
    with store.read() as session:
        return [json.loads(json.dumps(line)) for line in dump_rows(session)]


def loaded(store: Store, lines: list[dict[str, Any]]) -> int:
    with store.write() as session:
        return load_rows(session, lines)


def test_into_another_database_and_back(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        talk = add_conversation(session, owner="anna", fields={"split": "train"})
        asked = add_message(session, talk.id, None, "user", "“Hi” \u0000 \ud800")
        answer = add_message(session, talk.id, asked.id, "assistant", "x", model="m", generation={"seed": 2**63})
        task = add_task(session, "thumb", answer.id, overlap=2, priority=0.1)
        annotate(session, "thumb", answer.id, "up", author="anna", task_id=task.id)
        withdraw(session, "thumb", answer.id, author="anna")
        take_task(session, "ben")
        add_job(session, "improve", {"minutes": 3})
    lines = dumped(store)
    with open_store(tmp_path / "other.sqlite") as other:
        assert loaded(other, lines) == len(lines) == 9
        assert dumped(other) == lines
        with pytest.raises(InputError, match="empty"):
            loaded(other, lines)
        with other.write() as session:  # it goes on where the other was
            annotate(session, "thumb", answer.id, "down", author="anna")
    assert {line["table"] for line in lines} == {
        "conversations",
        "messages",
        "annotations",
        "tasks",
        "places",
        "jobs",
    }


@pytest.mark.parametrize(
    ("line", "error"),
    [({}, InputError), ({"table": "cats"}, InputError), ({"table": "jobs", "id": "a"}, ArtifactError)],
)
def test_lines_of_another_kind_leave_nothing(store: Store, line: dict[str, Any], error: type[Exception]) -> None:
    good = {"table": "conversations", "id": "a", "owner": "", "title": "", "fields": {}, "folder": "", "pinned": True,
            "leaf": "", "created": 1.5, "changed": 2.5, "deleted": None}  # fmt: skip
    with pytest.raises(error):
        loaded(store, [good, line])
    assert dumped(store) == []
    assert loaded(store, [good]) == 1 and dumped(store) == [good]
