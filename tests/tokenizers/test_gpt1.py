"""GPT-1's kind against the reference class."""

import json
from typing import Any

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.tokenizer import Tokenizer

texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(exclude_categories=["Cs"])))


@pytest.fixture(scope="module")
def tokenizer(learned: dict[str, Tokenizer]) -> Tokenizer:
    return learned["gpt1"]


@pytest.fixture(scope="module")
def reference(tokenizer: Tokenizer) -> Any:
    model = json.loads(tokenizer.backend.to_str())["model"]
    return transformers.OpenAIGPTTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


@given(text=texts)
def test_the_reference_gives_the_same_ids(tokenizer: Tokenizer, reference: Any, text: str) -> None:
    ids = reference(text, split_special_tokens=True)["input_ids"]
    assert tokenizer.encode(text) == ids
    assert tokenizer.decode(ids) == reference.decode(ids, skip_special_tokens=True)


def test_words_end_in_their_own_tokens(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.backend.encode("Cats, the cat").tokens
    assert [token.endswith("</w>") for token in tokens].count(True) == 4
    assert "".join(tokens) == "cats</w>,</w>the</w>cat</w>"


def test_every_ascii_sign_is_known_and_what_is_not_is_unknown(tokenizer: Tokenizer) -> None:
    unknown = tokenizer.special_id("<unk>")
    assert unknown not in tokenizer.encode("".join(map(chr, range(0x20, 0x7F))))
    assert tokenizer.encode("\u1200") == [unknown]
