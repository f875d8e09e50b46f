"""Labels of tasks: spans, decisions, known labels, priorities, tasks of files, offline lines."""

from typing import Any

import pytest

from gptwright.foundations.errors import InputError
from gptwright.store.database import Store
from gptwright.store.decisions import decide, differing
from gptwright.store.exports import FORMATS
from gptwright.store.known_labels import nearness, scores
from gptwright.store.labels import annotate, labels
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.offline_lines import take_offline
from gptwright.store.priorities import prioritise
from gptwright.store.tables import Task
from gptwright.store.task_labels import Said, find_task, submit_labels
from gptwright.store.task_making import Wanted, make_tasks, tasks_of_lines
from gptwright.store.tasks import add_task, renew_task, take_several, take_task
from gptwright.text.jsonl import Line


def asked(session: Any, kind: str = "preference", **fields: Any) -> tuple[Task, list[str]]:
    """A task with two answers, and their ids."""
    talk = add_conversation(session)
    question = add_message(session, talk.id, None, "user", "Hi").id
    ids = [add_message(session, talk.id, question, "assistant", text).id for text in ("😀 Hello", "Go")]
    about = question if kind in ("ranking", "preference", "demonstration") else ids[0]
    return add_task(session, kind, about, overlap=3, fields=fields), ids


def say(session: Any, task: Task, labeller: str, value: Any) -> None:
    submit_labels(session, task, [Said(task.kind, task.message_id, value)], labeller)


@pytest.mark.parametrize(
    "value",
    [{"span": [0, 8], "text": "x"}, {"span": [3, 3], "text": "x"}, {"span": [0, 1], "text": ""}, {"span": [0, 1]},
     {"span": [0.0, 1], "text": "x"}, {"span": [-1, 1], "text": "x"}],
)  # fmt: skip
def test_a_comment_lies_within_its_text(store: Store, value: Any) -> None:
    with store.write() as session:
        _, (answer, _) = asked(session)
        annotate(session, "comment", answer, {"span": [2, 7], "text": "rude"})
        with pytest.raises(InputError):
            annotate(session, "comment", answer, value)


def test_comments_of_several_spans_stand_side_by_side(store: Store) -> None:
    with store.write() as session:
        task, (answer, _) = asked(session, "rating")
        spans: list[Any] = [{"span": [0, 1], "text": "why?"}, {"span": [2, 7], "text": "good"}]
        said = [Said("rating", answer, 6), *(Said("comment", answer, span) for span in spans)]
        submit_labels(session, task, said, "anna")
        submit_labels(session, task, said, "anna")
        assert [label.value for label in labels(session, "comment")] == spans
        [line] = FORMATS["ratings"](session)
        assert (line["rating"], line["comments"], line["labeller"]) == (6, spans, "anna")


def test_what_is_decided_is_exported_and_what_was_said_stays(store: Store) -> None:
    with store.write() as session:
        task, ids = asked(session)
        for labeller, strength in (("anna", 3), ("ben", -1)):
            say(session, task, labeller, {"answers": ids, "strength": strength})
        assert [(one.task.id, len(one.labels)) for one in differing(session, 9)] == [(task.id, 2)]
        for strength in (1, -2):
            decide(session, task, [Said(task.kind, task.message_id, {"answers": ids, "strength": strength})], "root")
        assert differing(session, 9) == [] and len(labels(session, "preference")) == 3
        [line] = FORMATS["rankings"](session)
        assert (line["ranks"], line["strength"], line["labeller"]) == ([2, 1], 2, "root")


def test_known_labels_measure_people_and_are_not_exported(store: Store) -> None:
    with store.write() as session:
        task, ids = asked(session, known={})
        task.fields = {"known": {"answers": ids, "strength": 3}}
        say(session, task, "anna", {"answers": ids[::-1], "strength": -3})
        say(session, task, "ben", {"answers": ids, "strength": 0})
        assert {name: tuple(score) for name, score in scores(session).items()} == {"anna": (1.0, 1), "ben": (0.5, 1)}
        assert [*FORMATS["rankings"](session)] == []


def test_nearness_by_hand() -> None:
    order = {"answers": ["a", "b", "c"], "ranks": [1, 2, 3]}
    assert nearness("ranking", {"answers": ["c", "b", "a"], "ranks": [3, 1, 1]}, order) == pytest.approx(2 / 3)
    assert nearness("flags", ["x", "y"], ["y", "z"]) == pytest.approx(1 / 3) and nearness("flags", [], []) == 1
    assert nearness("rating", 1, 7) == 0 and nearness("thumb", "up", "up") == 1


def test_nearness_of_labels_about_other_answers() -> None:
    """An answer that came later, or one that somebody left out: what both rank is compared."""
    order = {"answers": ["a", "b", "c"], "ranks": [1, 2, 3]}
    assert nearness("ranking", {"answers": ["c", "a"], "ranks": [2, 1]}, order) == 1
    assert nearness("ranking", {"answers": ["a", "b", "c", "d"], "ranks": [2, 1, 3, 4]}, order) == pytest.approx(2 / 3)
    assert nearness("ranking", {"answers": ["d", "a"], "ranks": [1, 2]}, order) == 0
    pair = {"answers": ["a", "b"], "strength": 3}
    assert nearness("preference", {"answers": ["a", "c"], "strength": 3}, pair) == 0
    assert nearness("preference", {"answers": ["b", "a"], "strength": -3}, pair) == 1


def test_what_is_unsure_comes_first(store: Store) -> None:
    with store.write() as session:
        (far, far_ids), (near, near_ids), (split, ids) = asked(session), asked(session), asked(session)
        say(session, split, "anna", {"answers": ids, "strength": 3})
        say(session, split, "ben", {"answers": ids, "strength": -3})
        rewards = dict(zip([*far_ids, *near_ids], [9.0, 0.0, 1.0, 0.75], strict=True))
        assert prioritise(session, rewards) == 3
        assert (far.priority, near.priority, split.priority) == (0.1, 0.8, 1.0)
        assert [task.id for task in take_several(session, "cleo", 3, seconds=9)] == [split.id, near.id, far.id]


def test_tasks_of_a_file_are_made_once(store: Store) -> None:
    lines = [Line({"prompt": "Hi", "answers": ["A", "B"], "ranks": [2, 1]}, "line 1"),
             Line({"prompt": "Hi", "chosen": "C", "rejected": "D"}, "line 2")]  # fmt: skip
    with store.write() as session:
        wanted = Wanted("preference", known=True, training=True)
        assert [len(tasks_of_lines(session, wanted, lines)) for _ in range(2)] == [2, 0]
        assert [task.fields["known"]["strength"] for task in session.query(Task)] == [-3, 3]
        with pytest.raises(InputError, match="line 3"):
            tasks_of_lines(session, Wanted("ranking"), [Line({"prompt": "Hi"}, "line 3")])
        assert [len(make_tasks(session, Wanted("rating"), "", 9)) for _ in range(2)] == [4, 0]
        assert [len(tasks_of_lines(session, Wanted("demonstration"), [Line({"prompt": "Hi"}, "x")]))] == [1]


def test_an_offline_line_counts_once_also_after_something_else_was_said(store: Store) -> None:
    with store.write() as session:
        task, (answer, _) = asked(session, "rating")
        edit, _ = asked(session, "edit")
        rated = {"task": task.id, "labeller": "anna", "labels": [{"kind": "rating", "message_id": answer, "value": 3}]}
        edited = {"task": edit.id, "labeller": "anna",
                  "labels": [{"kind": "edit", "message_id": edit.message_id, "text": "Hello."}]}  # fmt: skip
        skipped = {"task": task.id, "labeller": "ben", "skip": "tired", "unsure": False}
        lines = [Line(fields, "line") for fields in (rated, edited, skipped)]
        assert take_offline(session, lines) == 3
        say(session, task, "anna", 5)
        assert take_offline(session, lines) == 0
        assert [label.value for label in labels(session, "rating")] == [5]
        for wrong in ({"task": "none"}, {"task": task.id}, {"task": task.id, "labeller": "x", "labels": [3]}):
            with pytest.raises(InputError):
                take_offline(session, [Line(wrong, "line")])


def test_several_are_held_and_renewed(store: Store) -> None:
    with store.write() as session:
        ids = {asked(session)[0].id for _ in range(3)}
        held = take_several(session, "anna", 2, seconds=60)
        assert len(held) == 2 and {task.id for task in held} < ids
        assert renew_task(session, held[0].id, "anna") and not renew_task(session, held[0].id, "ben")
        found = take_task(session, "anna")
        assert found and found.id in {task.id for task in held}
        with pytest.raises(InputError):
            find_task(session, "none")
