"""The page of a look inside: of the ids that were read and written, others' answers beside it, one at a time."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from tests.serving.routes.conftest import Http

from gptwright.interpretability import heads
from gptwright.pipelines.model import Model
from gptwright.serving.routes import answer_inside
from gptwright.serving.routes.answer_inside import Looking


async def page(http: Http, answer: str) -> httpx.Response:
    got = await http.client.get(f"/api/answers/{answer}/inside")
    assert got.status_code == 200, got.text
    return got


def view(got: httpx.Response) -> Any:
    found = re.search(r'id="data">(.*?)</script>', got.text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_it_is_of_what_was_read_and_written(talk: Any, real: Model) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("the <b>cat</b> sat")
        answer = await http.answer(id, asked, model="real", seed=3, max_tokens=6)
        seen = view(await page(http, answer["id"]))
        prompt = real.chat_ids([{"role": "user", "content": "the <b>cat</b> sat"}])
        ids = [*prompt, *real.tokenizer.encode(answer["content"])]
        assert seen["tokens"] == ids[-64:] and seen["model"] == "real"
        assert seen["note"] == ("" if len(ids) <= 64 else f"64 of {len(ids)} tokens are shown.")

    talk(go, more={"real": real})


def test_its_policy_lets_one_script_run_and_makes_it_nobody(talk: Any, real: Model) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("the cat sat")
        got = await page(http, (await http.answer(id, asked, model="real", max_tokens=2))["id"])
        policy = got.headers["content-security-policy"]
        own = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', got.text)
        assert own and policy.startswith(own[1]) and "default-src 'none'" in policy
        assert re.findall(r"script-src ([^;]+);", policy)[0].startswith("'sha256-")
        assert policy.endswith("frame-ancestors 'none'; sandbox allow-scripts")
        assert got.headers["content-type"].startswith("text/html") and got.headers["cache-control"] == "no-store"

    talk(go, more={"real": real})


def test_one_is_made_at_a_time_others_are_answered_and_the_last_is_kept(
    talk: Any, real: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, steps = list[str](), answer_inside.look

    def noted(*given: Any, **how: Any) -> Any:
        made.append("")
        for _ in range(10**9 if len(made) == 1 else 0):  # the first has no end
            yield
        return (yield from steps(*given, **how))

    monkeypatch.setattr(answer_inside, "look", noted)

    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("the cat sat")
        answer = await http.answer(id, asked, model="real", max_tokens=2)
        left = asyncio.ensure_future(http.client.get(f"/api/answers/{answer['id']}/inside"))
        while not made:
            await asyncio.sleep(0.001)
        busy = await http.ask("GET", f"/api/answers/{answer['id']}/inside", status=429)
        assert busy["error"]["code"] == "queue_full"
        elsewhere, (question,) = await http.conversation("the dog ran")
        other = await http.answer(elsewhere, question, model="real", max_tokens=2)
        left.cancel()
        path = f"/api/answers/{answer['id']}/inside"
        while (got := await http.client.get(path)).status_code == 429:  # until the server has seen that he is gone
            await asyncio.sleep(0.005)
        assert view(got)["model"] == "real" and (await page(http, answer["id"])).text == got.text and len(made) == 2
        assert (await page(http, other["id"])).text != got.text and len(made) == 3

    talk(go, more={"real": real}, network=True)


def test_what_is_left_stops_where_it_is_and_the_network_is_whole(real: Model) -> None:
    before = [parameter.clone() for parameter in real.network.parameters()]
    looking = Looking(answer_inside.look(real, [5, 6, 7, 8], "text", end=True))
    while not looking.done and "_WithoutColumns" not in repr(looking):
        assert looking.next() == []
        parts = {type(one).__name__ for one in real.network.modules()}
        assert heads.attentions(real.network) and "_WithoutColumns" not in parts
    assert looking.page and "tiny" not in looking.page.html
    left = Looking(answer_inside.look(real, [5, 6, 7, 8], "text", end=True))
    left.next()
    left.close()
    left.next()
    assert left.page is None and all((a == b).all() for a, b in zip(before, real.network.parameters(), strict=True))


def test_other_weights_another_model_or_a_person_cannot_be_asked(talk: Any, real: Model) -> None:
    asked: dict[str, str] = {}

    async def write(http: Http) -> None:
        id, messages = await http.conversation("the cat sat", "by hand")
        asked["person"] = messages[1]
        asked["model"] = (await http.answer(id, messages[0], model="real", max_tokens=2))["id"]

    async def refused(http: Http, who: str, words: str) -> None:
        told = await http.ask("GET", f"/api/answers/{asked[who]}/inside", status=409)
        assert words in told["error"]["message"] and told["error"]["code"] == "not_scorable"

    served: Any = {"more": {"real": real}}
    talk(write, **served, origins={"real": {"weights": "abc"}})
    talk(lambda http: refused(http, "person", "by a person"), **served)
    talk(lambda http: refused(http, "model", "other weights"), **served, origins={"real": {"weights": "def"}})
    talk(lambda http: refused(http, "model", "is not served"))
