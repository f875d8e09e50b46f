"""A tokenizer of ours, said in llama.cpp's words and read again, gives the same ids."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.byte_unicode import BYTE_TO_UNICODE
from gptwright.tokenizers.bytelevel import build
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.formats.gguf import CONTROL, NORMAL, UNUSED, tokenizer_of
from gptwright.tokenizers.formats.gguf_writing import values_of
from gptwright.tokenizers.formats.pretokenizers import PRETOKENIZERS
from gptwright.tokenizers.formats.sentencepiece import read_sentencepiece
from gptwright.tokenizers.special_tokens import SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer

ROWS = 410
texts = st.sampled_from(TEXTS) | st.text() | st.text("the cat▁  sn12\n.,猫<|end>", min_size=1)
Pair = tuple[Tokenizer, Tokenizer]


def again(tokenizer: Tokenizer, vocab: int = ROWS) -> Tokenizer:
    return Tokenizer(*tokenizer_of(values_of(tokenizer, vocab)))


@pytest.fixture(scope="module")
def pairs(learned: dict[str, Tokenizer]) -> dict[str, Pair]:
    """Both kinds, and each as it was read again."""
    return {kind: (learned[kind], again(learned[kind])) for kind in ("byte-level", "byte-fallback")}


@pytest.mark.parametrize("kind", ["byte-level", "byte-fallback"])
@given(text=texts)
def test_ids_and_texts_are_the_same(pairs: dict[str, Pair], kind: str, text: str) -> None:
    ours, found = pairs[kind]
    ids = ours.encode(text)
    assert found.encode(text) == ids
    assert found.decode(ids) == ours.decode(ids)


def test_control_tokens_keep_their_uses(pairs: dict[str, Pair]) -> None:
    for ours, found in pairs.values():
        first, second = ours.special_tokens, found.special_tokens
        assert (second.bos, second.eos, second.pad) == (first.bos, first.eos, first.pad)
        assert second.chat_template == first.chat_template
        assert first.stop[0] in second.stop and first.eos in second.stop
        assert found.all_special_ids == ours.all_special_ids


@given(text=texts)
def test_what_sentencepiece_learned_keeps_its_ids(released: Pair, text: str) -> None:
    ours, found = released
    assert found.encode(text) == ours.encode(text)


@pytest.fixture(scope="module")
def released(text: str, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    model = io.BytesIO()
    options: dict[str, Any] = {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity",
                               "remove_extra_whitespaces": False, "split_digits": True, "vocab_size": 380,
                               "minloglevel": 2}  # fmt: skip
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(text.split("\n")), model_writer=model, **options)  # pyright: ignore
    path: Path = tmp_path_factory.mktemp("released") / "tokenizer.model"
    path.write_bytes(model.getvalue())
    tokenizer = read_sentencepiece(path)
    return tokenizer, again(tokenizer)


@pytest.mark.parametrize("name", PRETOKENIZERS)
def test_every_way_to_cut_is_found_again(name: str) -> None:
    letters = {letter: i for i, letter in enumerate(["<end>", *BYTE_TO_UNICODE.values()])}
    tokenizer = build(
        letters, [], SpecialTokens(bos=None, eos="<end>", pad="<end>", stop=("<end>",), chat_template=None)
    )
    tokenizer.backend.pre_tokenizer = PRETOKENIZERS[name].build()
    found: str = values_of(tokenizer, tokenizer.vocab)["tokenizer.ggml.pre"]
    assert PRETOKENIZERS[found].build().__getstate__() == PRETOKENIZERS[name].build().__getstate__()


def test_rows_without_a_token_are_filled(learned: dict[str, Tokenizer]) -> None:
    tokenizer = learned["byte-level"]
    values = values_of(tokenizer, ROWS)
    kinds, tokens = values["tokenizer.ggml.token_type"], values["tokenizer.ggml.tokens"]
    assert len(kinds) == len(tokens) == len(set(tokens)) == ROWS
    assert set(kinds[tokenizer.vocab :]) == {UNUSED} and set(kinds[: tokenizer.vocab]) == {CONTROL, NORMAL}
    assert {i for i, kind in enumerate(kinds) if kind == CONTROL} == tokenizer.all_special_ids


def test_a_model_without_a_begin_or_a_template_says_so(learned: dict[str, Tokenizer]) -> None:
    tokenizer = learned["byte-level"]
    plain = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, bos=None, chat_template=None))
    values = values_of(plain, ROWS)
    assert values["tokenizer.ggml.add_bos_token"] is False
    assert not values.keys() & {"tokenizer.chat_template", "tokenizer.ggml.bos_token_id"}
    assert again(plain).special_tokens.bos is None


def test_kinds_and_cuts_that_llama_cpp_does_not_know_are_refused(learned: dict[str, Tokenizer]) -> None:
    for kind in ("gpt1", "wordpiece"):
        with pytest.raises(ArtifactError, match="byte-level or byte-fallback"):
            values_of(learned[kind], ROWS)
    letters = {letter: i for i, letter in enumerate(["<end>", *BYTE_TO_UNICODE.values()])}
    special_tokens = SpecialTokens(bos=None, eos="<end>", pad="<end>", stop=("<end>",), chat_template=None)
    with pytest.raises(ArtifactError, match="a way to cut texts among gpt-2"):
        values_of(build(letters, [], special_tokens, pattern=r"\w+|\W"), 257)
