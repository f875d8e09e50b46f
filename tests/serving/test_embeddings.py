"""Embeddings over HTTP: the mean of the last hidden states, as floats and as base64, of texts and of ids."""

import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import torch

from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.tokenizers.tokenizer import Tokenizer

TEXTS = ["the cat sat", "on the mat and the dog ran to the sea", "we"]


@pytest.fixture
def real(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "real")


@pytest.fixture
def ai(real: Model, serve: Any, store: Store) -> Iterator[openai.OpenAI]:
    with (
        serve(create_app({real.name: real}, store)) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def alone(real: Model, ids: list[int]) -> list[float]:
    """One text by itself, from the network's own states."""
    mean = real.network.hidden(torch.tensor([ids]))[0].mean(0)
    return (mean / mean.norm()).tolist()


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_texts_and_ids_in_their_order(ai: openai.OpenAI, real: Model, encoding: Any) -> None:
    rows = [real.text_ids(text) for text in TEXTS]
    for given in (TEXTS, rows):
        found = ai.embeddings.create(model="real", input=given, encoding_format=encoding)
        assert [one.index for one in found.data] == [0, 1, 2] and found.usage.prompt_tokens == sum(map(len, rows))
        vectors = [one.embedding for one in found.data]
        if encoding == "base64":  # the client leaves it as it is when it is asked for by name
            vectors = [torch.frombuffer(bytearray(__import__("base64").b64decode(v)), dtype=torch.float32).tolist()
                       for v in vectors]  # fmt: skip
        for vector, ids in zip(vectors, rows, strict=True):
            assert vector == pytest.approx(alone(real, ids), abs=1e-5)
    one = ai.embeddings.create(model="real", input=TEXTS[0]).data[0].embedding
    assert one == pytest.approx(alone(real, rows[0]), abs=1e-5)


def test_fewer_dimensions_have_the_length_1_again(ai: openai.OpenAI, real: Model) -> None:
    whole = ai.embeddings.create(model="real", input="the cat").data[0].embedding
    short = ai.embeddings.create(model="real", input="the cat", dimensions=5).data[0].embedding
    assert len(whole) == real.width and math.hypot(*whole) == pytest.approx(1, abs=1e-5)
    assert short == pytest.approx([x / math.hypot(*whole[:5]) for x in whole[:5]], abs=1e-5)


@pytest.mark.parametrize(("more", "param"), [
    ({"input": []}, "input"), ({"input": [[]]}, "input"), ({"input": [["a"]]}, "input"), ({"input": 5}, "input"),
    ({"input": ["a", [5]]}, "input"), ({"input": [5, 10**6]}, "input"), ({"input": ["a", "the " * 99]}, "input[1]"),
    ({"encoding_format": "int8"}, "encoding_format"), ({"dimensions": 0}, "dimensions"),
    ({"dimensions": 33}, "dimensions"), ({"made_up": 1}, "made_up"), ({"model": "other"}, "model"),
])  # fmt: skip
def test_what_is_wrong_is_named(ai: openai.OpenAI, more: Any, param: str) -> None:
    body = {"model": "real", "input": "the cat"} | more
    with pytest.raises(openai.APIStatusError) as refused:
        ai.post("/embeddings", body=body, cast_to=object)
    assert refused.value.status_code in (400, 404) and refused.value.param == param
