"""The queue: who gets what, for how long, and that three labellers lose and double nothing."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import select, update

from gptwright.foundations.errors import InputError
from gptwright.store.database import Store, open_store
from gptwright.store.labels import annotate, labels
from gptwright.store.messages import add_conversation, add_message, history
from gptwright.store.tables import Annotation, Place, Task
from gptwright.store.tasks import add_task, finish_task, give_back_task, take_task


def queue(store: Store, *overlaps: int, priority: float = 0.0) -> list[str]:
    with store.write() as session:
        talk = add_conversation(session)
        asked = [add_message(session, talk.id, None, "user", f"Question {i}") for i in range(len(overlaps))]
        return [add_task(session, "rating", message.id, overlap=overlap, priority=priority).id
                for message, overlap in zip(asked, overlaps, strict=True)]  # fmt: skip


def take(store: Store, labeller: str, **options: object) -> str | None:
    with store.write() as session:
        task = take_task(session, labeller, **options)  # type: ignore[arg-type]
        return task.id if task else None


def label(store: Store, task_id: str, labeller: str, kind: str = "rating", value: object = 5) -> bool:
    with store.write() as session:
        task = session.scalars(select(Task).where(Task.id == task_id)).one()
        annotate(session, kind, task.message_id, value, author=labeller, task_id=task_id)
        return finish_task(session, task_id, labeller)


def expire(store: Store) -> None:
    with store.write() as session:
        session.execute(update(Place).values(until=1.0))


def test_all_get_one_label_before_any_gets_two_and_urgent_ones_come_first(store: Store) -> None:
    first, second = queue(store, 2, 2)
    [urgent] = queue(store, 1, priority=1.0)
    assert [take(store, who) for who in ("a", "b", "c", "d", "e", "f")] == [urgent, first, second, first, second, None]


def test_nobody_gets_a_task_twice(store: Store) -> None:
    first, second = queue(store, 3, 1)
    for task_id in (first, second):
        assert take(store, "anna") == task_id
        assert label(store, task_id, "anna")
    assert take(store, "anna") is None and take(store, "ben") == first


def test_asking_again_gives_what_one_holds(store: Store) -> None:
    first, _ = queue(store, 2, 2)
    assert take(store, "anna") == take(store, "anna") == first
    assert take(store, "anna", kinds=["ranking"]) is None and take(store, "anna", kinds=["rating"]) == first


def test_a_lease_ends_and_a_late_label_is_kept(store: Store) -> None:
    [task_id] = queue(store, 1)
    assert take(store, "anna") == task_id and take(store, "ben") is None
    expire(store)
    assert take(store, "ben") == task_id and take(store, "anna") is None
    assert not label(store, task_id, "anna") and label(store, task_id, "ben")
    with store.read() as session:
        assert [row.author for row in labels(session)] == ["anna", "ben"]
    expire(store)
    assert take(store, "carl") is None and not label(store, task_id, "ben")


def test_who_was_late_does_not_get_it_again(store: Store) -> None:
    [task_id] = queue(store, 2)
    assert take(store, "anna") == task_id
    expire(store)
    assert take(store, "ben") == task_id and not label(store, task_id, "anna")
    assert take(store, "anna") is None and take(store, "carl") == task_id


def test_what_is_given_back_is_anybodys_and_what_is_skipped_another_s(store: Store) -> None:
    [task_id] = queue(store, 1)
    assert take(store, "anna") == task_id
    with store.write() as session:
        assert give_back_task(session, task_id, "anna") and not give_back_task(session, task_id, "anna")
    assert take(store, "anna") == task_id
    with store.write() as session:
        task = session.scalars(select(Task)).one()
        annotate(session, "skip", task.message_id, "not my field", author="anna", task_id=task_id)
        give_back_task(session, task_id, "anna")
    assert take(store, "anna") is None and take(store, "ben") == task_id


def test_a_task_needs_a_message(store: Store) -> None:
    with pytest.raises(InputError), store.write() as session:
        add_task(session, "rating", "nothing")


def plan(store: Store, labeller: str) -> str:
    """How the database finds the next place."""
    asked: list[tuple[str, Any]] = []
    with store.write() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE places"))

        @sa.event.listens_for(connection, "before_cursor_execute")
        def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
            asked.append((statement, values))

        assert take_task(session, labeller)
        sa.event.remove(connection, "before_cursor_execute", note)
        [(statement, values)] = [one for one in asked if "standing" in one[0].partition("ORDER BY")[2]]
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        return "\n".join(map(str, connection.exec_driver_sql(f"{explain} {statement}", values)))


def test_an_index_has_the_next_place_first(store: Store) -> None:
    queue(store, *[2] * 500)
    found = plan(store, "anna")
    assert "ix_places_done_standing_turn_number" in found, found
    assert "Sort" not in found and "TEMP B-TREE" not in found, found


def work(store: Store, task: str | None, said: int) -> int:
    """Instructions of SQLite's machine to take a task, show its conversation and label it."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with store.write() as session:
        driver: Any = session.connection().connection.driver_connection
        driver.set_progress_handler(step, 1)
        found = take_task(session, "anna")
        assert found and (task is None or found.id == task)
        assert len(history(session, found.message_id)) == 2
        annotate(session, "rating", found.message_id, 5, author="anna", task_id=found.id)
        assert len(labels(session, author="anna", task_id=found.id)) == 1
        assert finish_task(session, found.id, "anna")
        driver.set_progress_handler(None, 0)
        assert len(labels(session)) == said
    return count


def test_a_task_more_is_no_more_work_for_the_others(tmp_path: Path) -> None:
    """Of one conversation, so that neither its length nor the labels before count."""
    counts: list[int] = []
    for tasks in (20, 2000):
        with open_store(tmp_path / f"{tasks}.sqlite") as store:
            with store.write() as session:
                talk = add_conversation(session)
                asked = add_message(session, talk.id, None, "user", "Hi")
                ids = [add_message(session, talk.id, asked.id, "assistant", f"Answer {i}").id for i in range(tasks)]
                made = [add_task(session, "rating", id).id for id in ids]
                for id, task in list(zip(ids, made, strict=True))[: tasks // 2]:
                    annotate(session, "rating", id, 1, author="ben", task_id=task)
                    session.execute(update(Place).where(Place.task_id == task).values(labeller="ben", done=True))
            counts.append(work(store, made[tasks // 2], tasks // 2 + 1))
    few, many = counts
    assert many < 1.2 * few, counts


LABELLER = """
import sys
import time
from gptwright.store.database import open_store
from gptwright.store.labels import annotate
from gptwright.store.tasks import finish_task, take_task

place, labeller = sys.argv[1:]
with open_store(place) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        with store.write() as session:
            task = take_task(session, labeller)
        if task is None:
            break
        time.sleep(0.005)  # who labels thinks, and leaves the database to the others
        for _ in range(2):  # the answer to the first was lost: it is sent again
            with store.write() as session:
                annotate(session, "rating", task.message_id, 4, author=labeller, task_id=task.id)
                finish_task(session, task.id, labeller)
"""


def test_three_labellers_at_once_lose_and_double_nothing(place: str) -> None:
    with open_store(place) as store:
        tasks = queue(store, *[2] * 150)
        running = [
            subprocess.Popen(
                [sys.executable, "-c", LABELLER, place, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for who in ("anna", "ben", "carl")
        ]
        for labeller in running:  # all are there before any begins
            assert labeller.stdout and labeller.stdout.read(6) == b"ready\n"
            labeller.stdout.close()
        for labeller in running:
            assert labeller.stdin
            labeller.stdin.close()
        assert [labeller.wait(240) for labeller in running] == [0, 0, 0]
        with store.read() as session:
            found = Counter((row.task_id, row.author) for row in labels(session, "rating"))
            assert set(found.values()) == {1} and len(found) == 300
            assert Counter(task_id for task_id, _ in found) == dict.fromkeys(tasks, 2)
            assert len({author for _, author in found}) == 3
            assert len(session.scalars(select(Annotation.number)).all()) == 600
            assert all(session.scalars(select(Place.done)))
