"""LLaMA's released form: what sentencepiece itself learned gives the same ids here."""

import io
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.formats.sentencepiece import read_sentencepiece
from gptwright.tokenizers.tokenizer import Tokenizer

LLAMA = {
    "model_type": "bpe",
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "split_digits": True,
    "allow_whitespace_only_pieces": True,
}


def learn(text: str, **changes: object) -> bytes:
    model = io.BytesIO()
    settings: dict[str, object] = {"vocab_size": 380, "minloglevel": 2, **LLAMA, **changes}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(text.split("\n")), model_writer=model, **settings)  # pyright: ignore
    return model.getvalue()


@pytest.fixture(scope="module")
def model(text: str) -> bytes:
    return learn(text)


@pytest.fixture(scope="module")
def original(model: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


@pytest.fixture(scope="module")
def tokenizer(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("model") / "tokenizer.model"
    path.write_bytes(model)
    return read_sentencepiece(path)


texts = st.one_of(
    st.sampled_from(TEXTS), st.text(st.characters(exclude_categories=["Cs"])), st.text("the  \u2581at12\n")
)


@given(text=texts)
def test_the_original_gives_the_same_ids(
    tokenizer: Tokenizer, original: sentencepiece.SentencePieceProcessor, text: str
) -> None:
    ids = original.encode(text)
    assert tokenizer.encode(text) == ids
    assert tokenizer.decode(ids) == original.decode(ids)


def test_its_control_tokens(tokenizer: Tokenizer, original: sentencepiece.SentencePieceProcessor) -> None:
    assert (tokenizer.bos_id, tokenizer.eos_id) == (original.bos_id(), original.eos_id()) == (1, 2)
    assert tokenizer.vocab == original.vocab_size()
    assert tokenizer.all_special_ids == {1, 2}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "unigram", "vocab_size": 360}, "got type unigram"),
        ({"model_type": "word", "byte_fallback": False, "vocab_size": 40}, "got type word"),
        ({"model_type": "char", "byte_fallback": False, "vocab_size": 60}, "got type char"),
        ({"byte_fallback": False, "vocab_size": 150}, "got no byte_fallback"),
        ({"normalization_rule_name": "nmt_nfkc"}, "got a table of characters"),
        ({"normalization_rule_name": "nfkc_cf"}, "got a table of characters"),
        ({"remove_extra_whitespaces": True}, "got remove_extra_whitespaces"),
        ({"treat_whitespace_as_suffix": True}, "got treat_whitespace_as_suffix"),
        ({"user_defined_symbols": ["<sep>", "cat"]}, "no symbols of its user's in .* got '<sep>'"),
    ],
)
def test_models_of_other_kinds(text: str, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(learn(text, **changes))
    with pytest.raises(ArtifactError, match=said):
        read_sentencepiece(path)


HONOURED: dict[str, dict[str, object]] = {
    "no space before a text": {"add_dummy_prefix": False},
    "other names": {"bos_piece": "<begin>", "eos_piece": "<end>", "pad_id": 3, "pad_piece": "<fill>"},
    "no begin": {"bos_id": -1, "eos_id": 1},
    "further control symbols": {"control_symbols": ["<turn>", "<a b>"]},
}


@pytest.mark.parametrize("name", HONOURED)
def test_settings_that_are_followed(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(learn(text, **HONOURED[name]))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = read_sentencepiece(path)
    for some in TEXTS:
        assert ours.encode(some) == theirs.encode(some)
        assert ours.decode(ours.encode(some)) == theirs.decode(theirs.encode(some))
    assert (-1 if ours.bos_id is None else ours.bos_id, ours.eos_id) == (theirs.bos_id(), theirs.eos_id())
    assert theirs.pad_id() in (-1, ours.pad_id)


def test_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing there"):
        read_sentencepiece(tmp_path / "tokenizer.model")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 4000), at=st.integers(0, 4000), byte=st.binary(min_size=1, max_size=3))
def test_damaged_models_are_refused_or_read(model: bytes, tmp_path: Path, cut: int, at: int, byte: bytes) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes((model[:at] + byte + model[at + len(byte) :])[: len(model) - cut])
    try:
        read_sentencepiece(path)
    except ArtifactError as error:
        assert str(path) in str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary())
def test_any_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(data)
    with pytest.raises(ArtifactError):
        read_sentencepiece(path)
