"""BERT's kind against the reference class."""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.formats.vocab_files import read_bert
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
    assert tokenizer.encode("the c\u1200t") == [*tokenizer.encode("the"), tokenizer.special_id("[UNK]")]


CASED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Paris", "paris", "is", "Big", "big", "caf\u00e9", "cafe",
         "\u732b", "##\u72ac", "\u72ac", "[unused1]"]  # fmt: skip
SAID: dict[str, dict[str, bool | None]] = {
    "nothing": {},
    "cased": {"do_lower_case": False},
    "uncased": {"do_lower_case": True},
    "cased without accents": {"do_lower_case": False, "strip_accents": True},
    "uncased with accents": {"do_lower_case": True, "strip_accents": False},
    "Chinese in words": {"do_lower_case": False, "tokenize_chinese_chars": False},
    "as usual": {"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": True},
}


@pytest.mark.parametrize("name", SAID)
def test_capitals_accents_and_characters_are_kept_as_the_folder_says(name: str, tmp_path: Path) -> None:
    """As BertTokenizer does, out of a vocab.txt and out of a tokenizer.json that says otherwise."""
    said = SAID[name]
    (tmp_path / "vocab.txt").write_text("\n".join(CASED) + "\n", "utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | said))
    theirs = transformers.BertTokenizer(
        vocab={token: i for i, token in enumerate(CASED)}, **{"do_lower_case": False} | said
    )
    ours = [read_bert(tmp_path / "vocab.txt")]
    if said:
        transformers.BertTokenizer(vocab=dict(theirs.get_vocab()), do_lower_case=True).save_pretrained(tmp_path)
        path = tmp_path / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"strip_accents": None} | said))
        ours.append(Tokenizer.load(tmp_path))
    for text in ("Paris is Big", "paris IS big", "caf\u00e9 Caf\u00e9 cafe", "\u732b\u72ac \u732b \u72ac"):
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert [tokenizer.encode(text) for tokenizer in ours] == [ids] * len(ours)


def test_what_is_neither_true_nor_false(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(CASED) + "\n", "utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": "yes"}')
    with pytest.raises(ArtifactError, match="true or false as do_lower_case"):
        read_bert(tmp_path / "vocab.txt")
