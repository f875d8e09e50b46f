"""Branches of a conversation over HTTP."""

from typing import Any

from tests.serving.conftest import FakeModel
from tests.serving.routes.conftest import Http


def test_a_branch_is_deleted_and_taken_back(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked, answer) = await http.conversation("Hi", "Hello")
        other = await http.answer(id, asked)
        gone = await http.ask("DELETE", f"/api/messages/{answer}")
        assert gone["id"] == answer

        async def shown() -> list[str]:
            return [one["id"] for one in (await http.ask("GET", f"/api/conversations/{id}"))["messages"]]

        assert await shown() == [asked, other["id"]]
        for method, path, body in (
            ("DELETE", "", None), ("PUT", "/labels/thumb", {"value": "up"}), ("GET", "/labels", None),
        ):  # fmt: skip
            await http.ask(method, f"/api/messages/{answer}{path}", body, status=404)
        await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": answer}, status=404)
        more = {"role": "user", "content": "x", "parent_id": answer}
        await http.ask("POST", f"/api/conversations/{id}/messages", more, status=400)
        for wrong in (True, 0, 0.0, None, "false"):
            await http.ask("PATCH", f"/api/messages/{answer}", {"deleted": wrong}, status=400)
        await http.ask("PATCH", f"/api/messages/{answer}", {"deleted": False})
        assert await shown() == [asked, answer, other["id"]]

    talk(go)


def test_not_while_an_answer_is_written(talk: Any, model: FakeModel) -> None:
    model.paced = True

    async def go(http: Http) -> None:
        id, (asked, answer) = await http.conversation("Hi", "Hello")
        begun = await http.ask("POST", f"/api/conversations/{id}/answers", {"message_id": asked}, status=202)
        refused = await http.ask("DELETE", f"/api/messages/{answer}", status=409)
        assert refused["error"]["code"] == "answer_being_written"
        model.paced = False
        model.gate.set()
        assert [event async for event in http.events(begun["id"])]
        await http.ask("DELETE", f"/api/messages/{answer}")

    talk(go, network=True)
