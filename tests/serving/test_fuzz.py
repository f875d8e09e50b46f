"""No request of any kind is answered by a 5xx, and none ends the model's thread: some hundreds here, `make test-fuzz`
for many."""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.serving.fuzzing import Case, Fuzzer

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import Classifier
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.store.labels import annotate
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.people import add_key, add_user
from gptwright.store.tasks import add_task
from gptwright.tokenizers.tokenizer import Tokenizer

CASES = int(os.environ.get("FUZZ", "300"))
FRESH = 50
"""cases between two times at which what addresses name is made anew"""
NAMELESS = {"invalid_json", "no_run"}
"""codes of a 400 that is about no field"""
INSIDE = re.compile(r"Traceback|\b0x[0-9a-f]{6,}|/(?:root|home|usr|tmp|work)/|\.py\b|<[\w.]+ object at")
"""what only somebody with the source should see"""


@pytest.fixture
def app(network: GPT2, tokenizer: Tokenizer, store: Store) -> FastAPI:
    model = Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(max_tokens=6)), max_requests=16)
    judge = SequenceScorer(Classifier(network, ("fine", "rude")), tokenizer, "judge")
    return create_app({"tiny": model}, store, classifiers={"judge": judge})


def known(store: Store, number: int) -> dict[str, Sequence[str]]:
    """Something of everything that an address can name, made anew: what there was may be deleted."""
    with store.write() as session:
        conversation = add_conversation(session).id
        question = add_message(session, conversation, None, "user", "the cat").id
        answers = [add_message(session, conversation, question, "assistant", text).id for text in ("sat", "ran")]
        annotate(session, "thumb", answers[0], "up")
        tasks = [add_task(session, kind, question if kind == "ranking" else answers[0]).id
                 for kind in ("ranking", "rating", "edit")]  # fmt: skip
        add_user(session, user := f"anna-{number}", "labeller")
        key, _ = add_key(session, user)
    kinds = ("thumb", "reason", "rating", "edit", "preference", "flags", "no such kind")
    return {"conversations": [conversation], "messages": [question, *answers], "tasks": tasks, "users": [user],
            "keys": [key.id], "answers": answers, "labels": kinds, "jobs": ["none"], "models": ["tiny", "judge"],
            "model": ["tiny"]}  # fmt: skip


def fault(answer: httpx.Response) -> str:
    """What is wrong with an answer, if anything is."""
    if answer.status_code >= 500:
        return "a fault of the server"
    if answer.status_code < 400:
        return ""
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return "an error in another shape"
    if set(error) != {"message", "type", "param", "code"} or not error["message"] or not error["code"]:
        return "an error without its fields"
    if answer.status_code == 400 and error["param"] is None and error["code"] not in NAMELESS:
        return "an error that names no parameter"
    return "an error that tells what is inside" if INSIDE.search(error["message"]) else ""


async def send(client: httpx.AsyncClient, case: Case) -> httpx.Response:
    request = client.build_request(case.method, case.path, content=case.content, headers=dict(case.headers))
    return await client.send(request)


async def drive(app: FastAPI, store: Store, seed: int) -> tuple[list[str], Counter[int]]:
    """Sends all cases; what is wrong with answers, and how many there were of each status."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        fuzzer = Fuzzer((await client.get("/openapi.json")).json(), {}, seed)
        faults, statuses = list[str](), Counter[int]()
        for number in range(CASES):
            if number % FRESH == 0:
                fuzzer.known = known(store, number)
            case = fuzzer.case()
            app.state.door.locked = False  # who gives an owner a password locks it
            answer = await send(client, case)
            statuses[answer.status_code] += 1
            if wrong := fault(answer):
                faults.append(f"{number}: {wrong}: {case.method} {case.path} {(case.content or b'')[:300]!r} "
                              f"{dict(case.headers)}: {answer.status_code} {answer.text[:300]}")  # fmt: skip
    return faults, statuses


def test_any_request_is_answered_below_500_and_the_models_live_on(app: FastAPI, store: Store) -> None:
    async def go() -> tuple[list[str], Counter[int], set[Any]]:
        faults, statuses = await drive(app, store, seed=1)
        threads = {worker._thread for worker in app.state.workers}
        ask: Any = {"model": "tiny", "prompt": "the cat", "max_tokens": 2}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.post("/v1/completions", json=ask)).status_code == 200
        assert threads == {worker._thread for worker in app.state.workers}
        return faults, statuses, threads

    faults, statuses, threads = asyncio.run(go())
    print(f"{CASES} cases: {dict(sorted(statuses.items()))}")
    assert faults == [], "\n".join(faults[:40])
    assert statuses[200] > CASES // 20 and statuses[400] > CASES // 20 and sum(statuses.values()) == CASES
    assert all(thread.is_alive() for thread in threads if thread)
    for worker in app.state.workers:
        worker.close()


def test_the_same_seed_gives_the_same_requests(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)

    async def go() -> Any:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/openapi.json")).json()

    document = asyncio.run(go())
    one, other = (Fuzzer(json.loads(json.dumps(document)), {"model": ["m"], "messages": ["a"]}, 5) for _ in range(2))
    assert [one.case() for _ in range(50)] == [other.case() for _ in range(50)]
