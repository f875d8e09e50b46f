"""Jobs over HTTP: they run beside the server, are followed, cancelled and taken back, and none is lost in silence."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from tests.serving.conftest import FakeModel
from tests.serving.routes.conftest import Http

from gptwright.serving.job_processes import LOST
from gptwright.serving.routes.jobs import Improving, InUse
from gptwright.store.database import Store
from gptwright.store.jobs import add_job, report_job, take_job
from gptwright.store.tables import Job

QUICK = "print('dpo  3/4  75%  2 s left  loss 0.5'); print('improve-1, by dpo: 100%')"
SAID = ["reading", "gptwright: needed more; got less.", "  Rank more."]
LONG = "import time; print('reading', flush=True); time.sleep(600)"
BETTER = FakeModel(name="improve-1", reply="Better.")


def improving(program: str, name: str = "improve-1") -> Improving:
    def command(asked: Mapping[str, Any]) -> list[str]:
        return [sys.executable, "-c", program]

    return Improving(command, lambda: InUse(name, lambda: BETTER, {"weights": "abc"}), least=20,  # pyright: ignore[reportArgumentType, reportReturnType]
                     outcome=lambda lines: {"promoted": "100%" in lines[-1]}, prompts=lambda: ("Why?", "What is it?"),
                     may_undo=lambda: name != "tiny")  # fmt: skip


async def until(http: Http, id: str, *states: str) -> Any:
    while (job := await http.ask("GET", f"/api/jobs/{id}"))["state"] not in states:
        await asyncio.sleep(0.02)
    return job


def test_what_is_promoted_answers_from_then_on(talk: Any) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("Hi")
        assert (await http.answer(id, asked))["model"] == "tiny"
        job = await http.ask("POST", "/api/jobs", {"kind": "improve", "minutes": 1}, status=202)
        done = await until(http, job["id"], "done")
        assert (done["result"]["model"], done["result"]["lines"][-1]) == ("improve-1", "improve-1, by dpo: 100%")
        assert done["result"]["outcome"] == {"promoted": True}
        assert {name: done["progress"][name] for name in ("name", "done", "total", "seconds_left")} == {
            "name": "dpo", "done": 3, "total": 4, "seconds_left": 2.0}  # fmt: skip
        answer = await http.answer(id, asked)
        assert (answer["model"], answer["content"], answer["generation"]["weights"]) == ("improve-1", "Better.", "abc")
        assert (await http.answer(id, asked, model="tiny"))["model"] == "tiny"
        assert [job["state"] for job in (await http.ask("GET", "/api/jobs"))["jobs"]] == ["done"]
        assert "server" not in done["progress"]

    talk(go, network=True, improving=improving(QUICK))


def test_one_that_is_cancelled_ends_and_another_is_not_begun_twice(talk: Any) -> None:
    async def go(http: Http) -> None:
        first, again = [await http.ask("POST", "/api/jobs", {"kind": "improve"}, status=202) for _ in range(2)]
        assert first["id"] == again["id"]
        await until(http, first["id"], "running")
        cancelled = await http.ask("POST", f"/api/jobs/{first['id']}/cancel")
        assert cancelled["state"] == "cancelled"
        assert (await http.ask("POST", f"/api/jobs/{first['id']}/cancel"))["state"] == "cancelled"

    talk(go, network=True, improving=improving(LONG))


def test_one_that_fails_says_why_and_changes_nothing(talk: Any) -> None:
    async def go(http: Http) -> None:
        job = await http.ask("POST", "/api/jobs", {"kind": "improve"}, status=202)
        failed = await until(http, job["id"], "failed")
        assert failed["result"]["code"] == 3 and failed["result"]["lines"] == SAID
        assert failed["result"]["error"] == "needed more; got less.\n  Rank more."
        [listed] = (await http.ask("GET", "/api/jobs"))["jobs"]
        assert listed["result"]["error"] == failed["result"]["error"] and "lines" not in listed["result"]

    program = f"print({chr(10).join(SAID)!r}); raise SystemExit(3)"
    talk(go, network=True, improving=improving(program, "tiny"))


def test_a_server_that_stops_says_so_of_its_job(talk: Any, store: Store) -> None:
    async def go(http: Http) -> None:
        job = await http.ask("POST", "/api/jobs", {"kind": "improve"}, status=202)
        await until(http, job["id"], "running")

    talk(go, network=True, improving=improving(LONG))
    with store.read() as session:
        job = session.scalars(select(Job)).one()
        assert (job.state, job.result) == ("failed", {"error": "The server stopped."})


def test_a_job_of_a_server_that_died_is_ended_with_its_process(talk: Any, store: Store) -> None:
    left = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.DEVNULL)
    try:
        from gptwright.serving.job_processes import _identity  # pyright: ignore[reportPrivateUsage]

        with store.write() as session:
            add_job(session, "improve", {})
            job = take_job(session, ["improve"])
            assert job
            dead = {**_identity(left.pid), "began": 1.0}
            report_job(session, job.id, {"server": dead, "process": _identity(left.pid)})

        async def go(http: Http) -> None:
            [found] = (await http.ask("GET", "/api/jobs"))["jobs"]
            assert (found["state"], found["result"]) == ("failed", {"error": LOST})

        talk(go, network=True)
        assert left.wait(30) != 0
    finally:
        left.kill()
        left.wait()


def test_without_a_run_nothing_is_improved(talk: Any) -> None:
    async def go(http: Http) -> None:
        refused = await http.ask("POST", "/api/jobs", {"kind": "improve"}, status=400)
        assert refused["error"]["code"] == "no_run"
        await http.ask("GET", "/api/jobs/none", status=404)
        wrong = await http.ask("POST", "/api/jobs", {"kind": "improve", "minutes": 0}, status=400)
        assert wrong["error"]["param"] == "minutes"

    talk(go)
