"""A classifier behind OpenAI's /v1/moderations: its labels, its thresholds, and what cannot be asked of it."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import openai
import pytest
import torch
from fastapi import FastAPI
from openai.types import ModerationCreateResponse
from tests.serving.conftest import FakeModel

from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import Classifier
from gptwright.pipelines.moderation_config import ModerationConfig
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.serving.api import create_app
from gptwright.serving.classifications import ROWS, ClassificationBatches
from gptwright.serving.schemas import MOST_TEXTS
from gptwright.tokenizers.tokenizer import Tokenizer

LABELS = ("fine", "insult", "threat")
TEXTS = ["the cat sat", "we like to be free", "the dog ran to the sea when it is warm", "mat"]
PATH = "/v1/moderations"
INSULT = 0.395  # what `judge` makes of some of the texts is above, of others below


@pytest.fixture
def judge(network: GPT2, tokenizer: Tokenizer) -> SequenceScorer:
    model = Classifier(network, LABELS)
    with torch.no_grad():
        model.head.score.weight.normal_(0.0, 0.1, generator=torch.Generator().manual_seed(3))  # pyright: ignore
    return SequenceScorer(model, tokenizer, "judge", ModerationConfig(thresholds={"insult": INSULT}, neutral=("fine",)))


@pytest.fixture
def app(model: FakeModel, judge: SequenceScorer, store: Any) -> FastAPI:
    return create_app({"tiny": model}, store, classifiers={"judge": judge})  # type: ignore[arg-type]


@pytest.fixture
def ai(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


def ask(client: Any, judge: SequenceScorer, body: Any, path: str = PATH, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with client(classifiers={"judge": judge}, **options) as c:
            return await (c.get(path) if body is None else c.post(path, json=body))

    return asyncio.run(go())


def expected(judge: SequenceScorer, text: str) -> dict[str, Any]:
    scores = judge.classify(text)
    flags = {"fine": False, "insult": scores["insult"] >= INSULT, "threat": scores["threat"] >= 0.5}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": pytest.approx(scores, abs=1e-5),
        "category_applied_input_types": {label: ["text"] for label in LABELS},
    }


def test_openais_client_reads_every_label(ai: openai.OpenAI, judge: SequenceScorer) -> None:
    found = ai.moderations.create(model="judge", input=TEXTS)
    assert isinstance(found, ModerationCreateResponse) and found.id.startswith("modr-") and found.model == "judge"
    told = [result.to_dict() for result in found.results]
    assert told == [expected(judge, text) for text in TEXTS]
    assert len({result["flagged"] for result in told}) == 2  # the texts show both
    first = found.results[0]
    assert first.categories.model_extra is not None and set(first.categories.model_extra) == set(LABELS)
    one = ai.moderations.create(input=TEXTS[1])
    assert one.model == "judge" and [result.to_dict() for result in one.results] == [expected(judge, TEXTS[1])]
    parts = ai.moderations.create(input=[{"type": "text", "text": "the cat"}, {"type": "text", "text": "sat"}])
    assert [result.to_dict() for result in parts.results] == [expected(judge, "the cat\nsat")]


def test_many_texts_are_told_in_their_order(client: Any, judge: SequenceScorer) -> None:
    texts = [TEXTS[i % 3] for i in range(3 * ROWS + 5)]
    results = ask(client, judge, {"input": texts}).json()["results"]
    assert results == [expected(judge, text) for text in texts]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ({"input": ""}, "input", "invalid_value"),
        ({"input": []}, "input", "array_below_min_length"),
        ({"input": ["a", ""]}, "input[1]", "string_below_min_length"),
        ({"input": ["a", 7]}, "input[1]", "invalid_type"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": ["a"] * (MOST_TEXTS + 1)}, "input", "array_above_max_length"),
        ({"input": ["a", {"type": "text", "text": "b"}]}, "input", "invalid_value"),
        ({"input": [{"type": "image_url", "image_url": {"url": "x"}}]}, "input", "invalid_value"),
        ({"input": "cat " * 70}, "input", "context_length_exceeded"),
        ({"input": ["cat", "cat " * 70]}, "input[1]", "context_length_exceeded"),
        ({"input": "a", "threshold": 0.5}, "threshold", "unsupported_parameter"),
        ({"input": "a", "model": "tiny"}, "model", "model_not_supported"),
    ],
)
def test_what_cannot_be_judged_is_refused(client: Any, judge: SequenceScorer, body: Any, param: str, code: str) -> None:
    answer = ask(client, judge, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
    assert error["type"] == "invalid_request_error" and error["message"]


def test_a_model_is_asked_where_it_answers(client: Any, judge: SequenceScorer) -> None:
    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    for path, body in (("/v1/chat/completions", chat), ("/v1/completions", {"prompt": "Hi"})):
        answer = ask(client, judge, body | {"model": "judge"}, path)
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "model_not_supported"
        assert "/v1/moderations" in answer.json()["error"]["message"]
        assert ask(client, judge, body | {"model": "tiny"}, path).status_code == 200
    assert "/v1/chat/completions" in ask(client, judge, {"input": "a", "model": "tiny"}).json()["error"]["message"]
    unknown = ask(client, judge, {"input": "a", "model": "omni-moderation-latest"})
    assert unknown.status_code == 404 and "'tiny', 'judge'" in unknown.json()["error"]["message"]


def test_without_a_classifier_there_is_none_to_ask(client: Any) -> None:
    async def go() -> httpx.Response:
        async with client() as c:
            return await c.post(PATH, json={"input": "a"})

    answer = asyncio.run(go())
    assert answer.status_code == 404 and "'tiny'" in answer.json()["error"]["message"]


def test_its_card_says_labels_and_thresholds(client: Any, judge: SequenceScorer) -> None:
    cards = ask(client, judge, None, "/v1/models").json()["data"]
    assert [card["id"] for card in cards] == ["tiny", "judge"] and "defaults" in cards[0]
    again = ask(client, judge, None, "/v1/models/judge").json()  # of another server, which may begin a second later
    assert again | {"created": cards[1]["created"]} == cards[1]
    assert (cards[1]["labels"], cards[1]["max_model_len"]) == (list(LABELS), 64)
    assert cards[1]["thresholds"] == {"insult": INSULT, "threat": 0.5}


def test_a_stream_does_not_hold_it_up(ai: openai.OpenAI, model: FakeModel, judge: SequenceScorer) -> None:
    model.paced = True
    model.gate.set()
    hello: Any = [{"role": "user", "content": "Say hello"}]
    stream = iter(ai.chat.completions.create(model="tiny", messages=hello, stream=True))
    next(stream)
    assert ai.moderations.create(input=TEXTS[0]).results[0].to_dict() == expected(judge, TEXTS[0])
    model.paced = False
    model.gate.set()
    assert list(stream)


class Noting:
    """A scorer that notes what it reads together."""

    def __init__(self) -> None:
        self.read: list[list[int]] = []

    def probabilities(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        self.read.append([row[0] for row in rows])
        return torch.tensor([[float(row[0]), 0.0] for row in rows])


def test_requests_share_a_step() -> None:
    noting: Any = Noting()
    batches = ClassificationBatches(noting.probabilities)
    long = batches.open([[i] for i in range(100)])
    batches.step()
    short, left = batches.open([[1000], [1001]]), batches.open([[2000]])
    left.close()
    batches.step()
    assert noting.read == [list(range(ROWS)), [*range(ROWS, ROWS + ROWS // 2), 1000, 1001]]
    assert [number for number, _ in short.next()] == [0, 1] and short.done and not long.done
    short.close()
    while not long.done:
        batches.step()
        told = long.next()
    assert told[-1][0] == 99 and sum(map(len, noting.read)) == 102
    long.close()
    batches.step()
    assert len(noting.read) == 4


def test_more_requests_than_rows_are_let_in_as_they_came() -> None:
    noting: Any = Noting()
    batches = ClassificationBatches(noting.probabilities)
    for number in range(ROWS + 3):
        batches.open([[number]])
    batches.step()
    batches.step()
    assert noting.read == [list(range(ROWS)), list(range(ROWS, ROWS + 3))]


def test_a_step_that_fails_is_told_and_the_next_request_answered(client: Any, judge: SequenceScorer) -> None:
    whole, failing = judge.logits, threading.Event()
    failing.set()

    def logits(rows: Sequence[Sequence[int]]) -> torch.Tensor:
        if failing.is_set():
            raise RuntimeError("secret path /home/somebody")
        return whole(rows)

    judge.logits = logits  # type: ignore[method-assign]
    answer = ask(client, judge, {"input": "a"})
    assert answer.status_code == 500 and "secret" not in answer.text
    failing.clear()
    assert ask(client, judge, {"input": "a"}).status_code == 200
