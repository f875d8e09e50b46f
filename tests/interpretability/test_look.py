"""The page of a reader's ids: what is shown of too many, and of a network whose weights of attention are large."""

import json
import re
from typing import Any

import pytest

from gptwright.foundations.errors import InputError
from gptwright.interpretability import inside
from gptwright.interpretability.look import look
from gptwright.interpretability.steps import finished
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.model import Model
from gptwright.tokenizers.tokenizer import Tokenizer


@pytest.fixture
def model(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny")


def seen(model: Model, ids: list[int], **how: Any) -> Any:
    page = finished(look(model, ids, "a title", **how))
    found = re.search(r'id="data">(.*?)</script>', page.html, re.DOTALL)
    assert found and "<title>tiny: a title</title>" in page.html and f'content="{page.policy}"' in page.html
    return json.loads(found[1])


def test_the_first_or_the_last_of_too_many(model: Model) -> None:
    ids = [at % 50 for at in range(70)]
    assert seen(model, ids)["tokens"] == ids[:64] and seen(model, ids, end=True)["tokens"] == ids[-64:]
    assert seen(model, ids)["note"] == "64 of 70 tokens are shown." and seen(model, ids[:64])["note"] == ""


def test_of_many_heads_less_is_shown(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    config = model.network.config
    monkeypatch.setattr(inside, "MEMORY", 4 * config.layers * config.heads * 10 * 10 + 1)
    assert seen(model, [1] * 30)["note"] == "10 of 30 tokens are shown."


def test_no_id_is_refused(model: Model) -> None:
    with pytest.raises(InputError, match="Give a text"):
        seen(model, [])
