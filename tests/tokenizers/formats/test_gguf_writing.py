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
from gptwright.tokenizers.byte_unicode import LETTER_OF_BYTE
from gptwright.tokenizers.bytelevel import build
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.formats.gguf import CONTROL, NORMAL, UNUSED, tokenizer_of
from gptwright.tokenizers.formats.gguf_writing import values_of
from gptwright.tokenizers.formats.pretokenizers import CUTS
from gptwright.tokenizers.formats.sentencepiece import read_sentencepiece
from gptwright.tokenizers.special_tokens import Controls
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
        first, second = ours.controls, found.controls
        assert (second.begin, second.end, second.pad) == (first.begin, first.end, first.pad)
        assert second.template == first.template
        assert first.stops[0] in second.stops and first.end in second.stops
        assert found.control_ids == ours.control_ids


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


@pytest.mark.parametrize("name", CUTS)
def test_every_way_to_cut_is_found_again(name: str) -> None:
    letters = {letter: i for i, letter in enumerate(["<end>", *LETTER_OF_BYTE.values()])}
    tokenizer = build(letters, [], Controls(begin=None, end="<end>", pad="<end>", stops=("<end>",), template=None))
    tokenizer.backend.pre_tokenizer = CUTS[name].pre_tokenizer()
    found: str = values_of(tokenizer, tokenizer.vocab)["tokenizer.ggml.pre"]
    assert CUTS[found].pre_tokenizer().__getstate__() == CUTS[name].pre_tokenizer().__getstate__()


def test_rows_without_a_token_are_filled(learned: dict[str, Tokenizer]) -> None:
    tokenizer = learned["byte-level"]
    values = values_of(tokenizer, ROWS)
    kinds, tokens = values["tokenizer.ggml.token_type"], values["tokenizer.ggml.tokens"]
    assert len(kinds) == len(tokens) == len(set(tokens)) == ROWS
    assert set(kinds[tokenizer.vocab :]) == {UNUSED} and set(kinds[: tokenizer.vocab]) == {CONTROL, NORMAL}
    assert {i for i, kind in enumerate(kinds) if kind == CONTROL} == tokenizer.control_ids


def test_a_model_without_a_begin_or_a_template_says_so(learned: dict[str, Tokenizer]) -> None:
    tokenizer = learned["byte-level"]
    plain = Tokenizer(tokenizer.backend, replace(tokenizer.controls, begin=None, template=None))
    values = values_of(plain, ROWS)
    assert values["tokenizer.ggml.add_bos_token"] is False
    assert not values.keys() & {"tokenizer.chat_template", "tokenizer.ggml.bos_token_id"}
    assert again(plain).controls.begin is None


def test_kinds_and_cuts_that_llama_cpp_does_not_know_are_refused(learned: dict[str, Tokenizer]) -> None:
    for kind in ("gpt1", "wordpiece"):
        with pytest.raises(ArtifactError, match="byte-level or byte-fallback"):
            values_of(learned[kind], ROWS)
    letters = {letter: i for i, letter in enumerate(["<end>", *LETTER_OF_BYTE.values()])}
    controls = Controls(begin=None, end="<end>", pad="<end>", stops=("<end>",), template=None)
    with pytest.raises(ArtifactError, match="a way to cut texts among gpt-2"):
        values_of(build(letters, [], controls, pattern=r"\w+|\W"), 257)
