"""The queue over HTTP: each task to as many as it needs, nothing lost or doubled, all of it taken back."""

from typing import Any

import pytest
from tests.serving.routes.conftest import Http

from gptwright.store.database import Store
from gptwright.store.exports import FORMATS
from gptwright.store.labels import labels
from gptwright.store.tables import Annotation, Place

KEYS = {"anna": "a", "ben": "b", "cleo": "c"}


async def ranked_task(http: Http, key: str = "a", **fields: Any) -> tuple[str, str, list[str]]:
    """A task to rank two answers, what was asked, and the answers."""
    id, (asked, first) = await http.conversation("Hi", "Hello", key=key)
    body = {"role": "assistant", "content": "Good day", "parent_id": asked}
    second = await http.ask("POST", f"/api/conversations/{id}/messages", body, key=key, status=201)
    task = {"kind": "ranking", "message_id": asked, **fields}
    [made] = (await http.ask("POST", "/api/tasks", {"tasks": [task]}, key=key, status=201))["ids"]
    return made, asked, [first, second["id"]]


def ranking(asked: str, answers: list[str], *ranks: int) -> dict[str, Any]:
    return {"labels": [{"kind": "ranking", "message_id": asked, "value": {"answers": answers, "ranks": list(ranks)}}]}


async def next_task(http: Http, key: str, **body: Any) -> Any:
    return (await http.ask("POST", "/api/tasks/next", body, key=key))["task"]


def test_a_task_goes_to_as_many_as_it_needs_and_to_nobody_twice(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        id, asked, answers = await ranked_task(http, overlap=2, guidelines="Be kind.")
        for key in ("a", "b"):
            task = await next_task(http, key)
            assert task["id"] == id and await next_task(http, key) == {
                **task,
                "seconds_left": pytest.approx(1800, abs=9),
            }
            assert task["guidelines"] == "Be kind." and task["messages"][-1]["content"] == "Hi"
            assert {answer["content"] for answer in task["answers"]} == {"Hello", "Good day"}
            assert all(set(answer) == {"id", "content"} for answer in task["answers"])
        assert await next_task(http, "c") is None
        for key, ranks in (("a", (1, 2)), ("b", (2, 1))):
            done = await http.ask("POST", f"/api/tasks/{id}/submit", ranking(asked, answers, *ranks), key=key)
            assert done["in_time"] and done["labels"][0]["task_id"] == id
            assert await next_task(http, key) is None
        progress = await http.ask("GET", "/api/tasks/progress", key="a")
        assert progress.pop("people").keys() == {"anna", "ben"}
        assert progress == {"kinds": {"ranking": {"tasks": 1, "places": 2, "done": 2, "held": 0}},
                            "done_by": {"anna": 1, "ben": 1}}  # fmt: skip
        agreed = (await http.ask("GET", "/api/tasks/agreement", key="a"))["ranking"]
        assert agreed == {"value": -1, "things": 1, "labels": 2}

    talk(go, keys=KEYS)
    with store.read() as session:
        assert [line["labeller"] for line in FORMATS["rankings"](session)] == ["anna", "ben"]


@pytest.mark.parametrize("span", [3, "ab", None, {"a": 1}, [0], [0, 1.5], ["0", 1], [0, 10**9], [1, 1], [[], 1]])
def test_a_comment_with_no_span_of_the_text_is_refused(talk: Any, span: Any) -> None:
    async def go(http: Http) -> None:
        id, asked, answers = await ranked_task(http, key="")
        body = ranking(asked, answers, 1, 2)
        comment = {"kind": "comment", "message_id": answers[0], "value": {"span": span, "text": "Here."}}
        body["labels"].append(comment)
        refused = await http.ask("POST", f"/api/tasks/{id}/submit", body, status=400)
        assert refused["error"]["param"] == "labels" and "span" in refused["error"]["message"]
        line = {"task": id, "labeller": "", "labels": body["labels"]}
        refused = await http.ask("POST", "/api/tasks/merge", {"lines": [line]}, status=400)
        assert refused["error"]["param"] == "lines"

    talk(go)


def test_a_known_ranking_is_compared_with_one_of_fewer_answers(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked, first) = await http.conversation("Hi", "Hello")
        more = [await http.ask("POST", f"/api/conversations/{id}/messages",
                               {"role": "assistant", "content": text, "parent_id": asked}, status=201)
                for text in ("Good day", "Yes?")]  # fmt: skip
        answers = [first, *(one["id"] for one in more)]
        task = {"kind": "ranking", "message_id": asked, "known": {"answers": answers, "ranks": [1, 2, 3]}}
        [made] = (await http.ask("POST", "/api/tasks", {"tasks": [task]}, status=201))["ids"]
        for said, near in ((answers[:2], 1.0), (answers[::-1], 0.0)):
            body = ranking(asked, said, *range(1, len(said) + 1))
            assert (await http.ask("POST", f"/api/tasks/{made}/submit", body))["known"]["nearness"] == near
        assert (await http.ask("GET", "/api/tasks/progress"))["people"][""]["score"]["tasks"] == 1

    talk(go)


@pytest.mark.parametrize("reward", ["1e999", "NaN", "-Infinity", '"1"', "null"])
def test_rewards_are_numbers(talk: Any, reward: str) -> None:
    async def go(http: Http) -> None:
        body = f'{{"rewards": {{"a": {reward}}}}}'
        headers = {"content-type": "application/json"}
        refused = await http.client.post("/api/tasks/prioritise", content=body, headers=headers)
        assert refused.status_code == 400, refused.text

    talk(go)


def test_sent_again_it_is_there_once_and_undone_it_comes_back(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        id, asked, answers = await ranked_task(http, key="")
        await next_task(http, "")
        path, body = f"/api/tasks/{id}/submit", ranking(asked, answers, 1, 2)
        assert len({str(await http.ask("POST", path, body)) for _ in range(3)}) == 1
        undone = await http.ask("POST", f"/api/tasks/{id}/undo")
        assert undone["withdrawn"] == 1 and undone["task"]["id"] == id == (await next_task(http, ""))["id"]
        with store.read() as session:
            assert not labels(session)
        await http.ask("POST", path, ranking(asked, answers, 2, 1))
        assert (await http.ask("POST", path, body))["in_time"] and await next_task(http, "") is None

    talk(go)
    with store.read() as session:
        [label] = labels(session)
        value: Any = label.value
        assert value["ranks"] == [1, 2] and session.query(Annotation).count() == 4


def test_skipped_it_is_another_s_and_undone_it_is_mine(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        id, _, _ = await ranked_task(http)
        await next_task(http, "a")
        assert (await http.ask("POST", f"/api/tasks/{id}/skip", {"reason": "Too long"}, key="a"))["given_back"]
        assert await next_task(http, "a") is None
        assert (await http.ask("POST", f"/api/tasks/{id}/undo", key="a"))["task"]["id"] == id
        await http.ask("POST", f"/api/tasks/{id}/skip", {"reason": "Both are right", "unsure": True}, key="a")
        assert (await next_task(http, "b"))["id"] == id
        assert (await http.ask("POST", f"/api/tasks/{id}/undo", key="a")) == {"withdrawn": 1, "task": None}

    talk(go, keys=KEYS)


def test_a_label_that_comes_late_is_kept(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        id, asked, answers = await ranked_task(http)
        await next_task(http, "a", seconds=1)
        with store.write() as session:
            session.execute(Place.__table__.update().values(until=1.0))  # pyright: ignore[reportAttributeAccessIssue]
        assert (await next_task(http, "b"))["id"] == id
        late = await http.ask("POST", f"/api/tasks/{id}/submit", ranking(asked, answers, 1, 2), key="a")
        assert late["in_time"] is False and len(late["labels"]) == 1

    talk(go, keys=KEYS)


def test_ratings_flags_edits_and_demonstrations_of_a_task(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        _, (asked, answer) = await http.conversation("Hi", "Hello")
        tasks = [{"kind": kind, "message_id": answer if kind != "demonstration" else asked}
                 for kind in ("rating", "edit", "demonstration")]  # fmt: skip
        await http.ask("POST", "/api/tasks", {"tasks": tasks}, status=201)
        given = {
            "rating": [{"kind": "rating", "message_id": answer, "value": 6},
                       {"kind": "flags", "message_id": answer, "value": ["hallucination"]}],
            "edit": [{"kind": "edit", "message_id": answer, "text": "Hello!"}],
            "demonstration": [{"kind": "demonstration", "message_id": asked, "text": "Welcome."}],
        }  # fmt: skip
        for kind, said in given.items():
            task = await next_task(http, "", kinds=[kind])
            assert task["kind"] == kind and task["answers"] == []
            for _ in range(2):
                await http.ask("POST", f"/api/tasks/{task['id']}/submit", {"labels": said})

    talk(go)
    with store.read() as session:
        assert [label.kind for label in labels(session)] == ["rating", "flags", "edit", "demonstration"]
        [ranked], [shown] = FORMATS["rankings"](session), FORMATS["demonstrations"](session)
    assert ranked["answers"] == ["Hello!", "Hello"] and shown["messages"][-1]["content"] == "Welcome."


WRONG = [
    {"labels": []},
    {"labels": [{"kind": "rating", "message_id": "ASKED", "value": 3}]},
    {"labels": [{"kind": "ranking", "message_id": "other", "value": {}}]},
    {"labels": [{"kind": "ranking", "message_id": "ASKED", "text": "x"}]},
    {"labels": [{"kind": "ranking", "message_id": "ASKED"}]},
]


@pytest.mark.parametrize("body", WRONG)
def test_what_is_no_submission_leaves_the_task_open(talk: Any, store: Store, body: Any) -> None:
    async def go(http: Http) -> None:
        id, asked, _ = await ranked_task(http, key="")
        await next_task(http, "")
        given = {"labels": [{**label, "message_id": label["message_id"].replace("ASKED", asked)}
                            for label in body["labels"]]}  # fmt: skip
        await http.ask("POST", f"/api/tasks/{id}/submit", given, status=400)
        assert (await next_task(http, ""))["id"] == id

    talk(go)
    with store.read() as session:
        assert session.query(Annotation).count() == 0


def test_what_is_not_there_is_404(talk: Any) -> None:
    async def go(http: Http) -> None:
        skip: dict[str, Any] = {"reason": "x"}
        await http.ask("POST", "/api/tasks/none/skip", skip, status=404)
        task = {"kind": "rating", "message_id": "none"}
        await http.ask("POST", "/api/tasks", {"tasks": [task]}, status=404)

    talk(go)
