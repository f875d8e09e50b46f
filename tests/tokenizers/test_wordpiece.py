"""BERT's kind against the reference class."""

import json
from typing import Any

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from gptwright.tokenizers.hostile import TEXTS
from gptwright.tokenizers.tokenizer import Tokenizer

texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(exclude_categories=["Cs"])))


@pytest.fixture(scope="module")
def tokenizer(learned: dict[str, Tokenizer]) -> Tokenizer:
    return learned["wordpiece"]


@pytest.fixture(scope="module")
def reference(tokenizer: Tokenizer) -> Any:
    return transformers.BertTokenizer(vocab=json.loads(tokenizer.backend.to_str())["model"]["vocab"])


@given(text=texts)
def test_the_reference_gives_the_same_ids(tokenizer: Tokenizer, reference: Any, text: str) -> None:
    ids = reference(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert tokenizer.encode(text) == ids
    if not ids or not reference.convert_ids_to_tokens(ids[0]).startswith("##"):
        assert tokenizer.decode(ids) == reference.decode(ids, skip_special_tokens=True)


def test_other_tools_put_a_pair_between_its_control_tokens(tokenizer: Tokenizer, reference: Any) -> None:
    pair = tokenizer.backend.encode("the cat", "the sea")
    found = reference("the cat", "the sea")
    assert (pair.ids, pair.type_ids) == (found["input_ids"], found["token_type_ids"])
    assert pair.tokens[0] == "[CLS]" and pair.tokens.count("[SEP]") == 2


def test_the_longest_known_piece_comes_first(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.backend.encode("Cats", add_special_tokens=False).tokens
    known = tokenizer.backend.get_vocab()
    assert all("##" + tokens[0] not in token for token in tokens)
    assert not any("cats"[:n] in known for n in range(len(tokens[0]) + 1, 5))
    assert "".join(token.removeprefix("##") for token in tokens) == "cats"


def test_a_word_with_an_unknown_character_is_unknown(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("the c\u1200t") == [*tokenizer.encode("the"), tokenizer.control("[UNK]")]
