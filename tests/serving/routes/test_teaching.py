"""What the page of teaching is told: labels that count, what is new, and what may be asked."""

from typing import Any

from tests.serving.routes.conftest import Http
from tests.serving.routes.test_jobs import QUICK, improving, until


async def told(http: Http) -> Any:
    return await http.ask("GET", "/api/teaching")


def test_labels_that_count_are_counted_and_are_new_until_the_next_improvement(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Why?")
        answers = [(await http.answer(id, asked))["id"] for _ in range(2)]
        for number, ranks in enumerate(([1, 2], [2, 1], [1, 1])):
            value = {"answers": answers, "ranks": ranks}
            await http.ask("PUT", f"/api/messages/{asked}/labels/ranking", {"value": value, "id": f"r{number}"})
        await http.ask("PUT", f"/api/messages/{answers[0]}/labels/thumb", {"value": "up"})
        await http.ask("PUT", f"/api/messages/{answers[1]}/labels/thumb", {"value": "down"})
        await http.ask("DELETE", f"/api/messages/{answers[1]}/labels/thumb")
        found = await told(http)
        assert found["labels"] == {"ranking": 2, "preference": 0, "edit": 0, "demonstration": 0, "thumb": 1}
        assert (found["new"], found["least"], found["improves"], found["may_undo"]) == (3, 20, True, True)
        job = await http.ask("POST", "/api/jobs", {"kind": "improve"}, status=202)
        await until(http, job["id"], "done")
        assert (await told(http))["new"] == 0 and (await told(http))["labels"] == found["labels"]

    talk(go, network=True, improving=improving(QUICK))


def test_questions_are_one_s_own_each_once_and_the_run_s(talk: Any) -> None:
    async def go(http: Http) -> None:
        for text in ("Why?", "What is a cat?", "Why?"):
            await http.conversation(text, "Answer.", "And then?")
        guided = (await http.ask("POST", "/api/conversations", {}, status=201))["id"]
        path, parent = f"/api/conversations/{guided}/messages", None
        for role, text in (("system", "Be brief."), ("user", "Who?"), ("assistant", "Ann."), ("user", "Sure?")):
            body = {"role": role, "content": text, "parent_id": parent}
            parent = (await http.ask("POST", path, body, status=201))["id"]
        gone, _ = await http.conversation("Secret?")
        await http.ask("DELETE", f"/api/conversations/{gone}")
        found = await told(http)
        assert found["asked"] == ["Who?", "Why?", "What is a cat?"] and found["prompts"] == ["Why?", "What is it?"]

    talk(go, improving=improving(QUICK))


def test_a_server_without_a_run_says_so(talk: Any) -> None:
    async def go(http: Http) -> None:
        found = await told(http)
        assert (found["improves"], found["least"], found["prompts"], found["may_undo"]) == (False, 0, [], False)

    talk(go)
