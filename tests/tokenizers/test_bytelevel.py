"""GPT-2's kind against the reference class and tiktoken."""

import json
from typing import Any

import pytest
import tiktoken
import transformers
from hypothesis import given
from hypothesis import strategies as st

from gptwright.tokenizers.byte_unicode import unicode_to_bytes
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.tiktoken_backend import GPT2_PATTERN
from gptwright.tokenizers.tokenizer import Tokenizer

texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(exclude_categories=["Cs"])))


@pytest.fixture(scope="module")
def tokenizer(learned: dict[str, Tokenizer]) -> Tokenizer:
    return learned["byte-level"]


@pytest.fixture(scope="module")
def reference(tokenizer: Tokenizer) -> Any:
    model = json.loads(tokenizer.backend.to_str())["model"]
    return transformers.GPT2Tokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


@pytest.fixture(scope="module")
def encoding(tokenizer: Tokenizer) -> tiktoken.Encoding:
    vocab = tokenizer.backend.get_vocab().items()
    ranks = {data: i for token, i in vocab if i not in tokenizer.all_special_ids and (data := unicode_to_bytes(token))}
    return tiktoken.Encoding("ours", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={})


@given(text=texts)
def test_the_reference_gives_the_same_ids(tokenizer: Tokenizer, reference: Any, text: str) -> None:
    ids = reference(text, split_special_tokens=True)["input_ids"]
    assert tokenizer.encode(text) == ids
    assert tokenizer.decode(ids) == reference.decode(ids) == text


@given(text=texts)
def test_tiktoken_gives_the_same_ids(tokenizer: Tokenizer, encoding: tiktoken.Encoding, text: str) -> None:
    assert tokenizer.encode(text) == encoding.encode_ordinary(text)


def test_bytes_and_control_tokens_come_first(tokenizer: Tokenizer) -> None:
    assert sorted(tokenizer.decode_bytes([i]) for i in range(6, 262)) == [bytes([byte]) for byte in range(256)]
    assert tokenizer.decode_bytes(range(6)) == b""
    assert all(len(tokenizer.decode_bytes([i])) > 1 for i in range(262, tokenizer.vocab))
