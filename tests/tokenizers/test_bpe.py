import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.tokenizers.bpe import SMALLEST_VOCAB, Tokenizer
from gptwright.tokenizers.chat import CONTROL_TOKENS

TEXT = "the cat sat on the mat, the cats sat on the mats; 12 dogs don't. " * 4
TOKENIZER = Tokenizer.train([TEXT], 280)
CONTROL = {TOKENIZER.control(token) for token in CONTROL_TOKENS}

# Running text, any character, and attempts to speak in another's role, also ones that a careless removal would join.
texts = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.sampled_from(
            [*CONTROL_TOKENS, "<|us", "er|>", "<|<|user|>user|>", "<|en<|end|>d|>", "the cat", "猫", "👩‍🚀"]
        ),
    ),
    max_size=6,
).map("".join)


@given(texts)
def test_every_text_comes_back_and_never_yields_a_control_token(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert not CONTROL.intersection(ids)


@given(st.one_of(st.binary(), texts.map(str.encode), st.tuples(texts, st.binary()).map(lambda t: t[0].encode() + t[1])))
def test_every_byte_string_comes_back(data: bytes) -> None:
    ids = TOKENIZER.encode_bytes(data)
    assert TOKENIZER.decode_bytes(ids) == data
    assert TOKENIZER.decode(ids) == data.decode("utf-8", "replace")
    assert not CONTROL.intersection(ids)


@given(st.lists(st.one_of(texts, st.text()), max_size=4))
def test_many_texts_are_encoded_as_one_by_one(many: list[str]) -> None:
    assert TOKENIZER.encode_many(many) == [TOKENIZER.encode(text) for text in many]


def test_halves_of_surrogate_pairs() -> None:
    assert TOKENIZER.decode_bytes(TOKENIZER.encode("é\udcff.")) == "é".encode() + b"\xff."
    assert TOKENIZER.decode(TOKENIZER.encode("a\ud800b")) == "a\ufffdb"
    assert TOKENIZER.encode("") == []


@given(texts)
def test_a_stream_of_tokens_gives_the_whole_text(text: str) -> None:
    decoder = TOKENIZER.streaming_decoder()
    parts = [decoder(i) for i in TOKENIZER.encode(text)]
    assert "".join(parts) == text
    assert all("\ufffd" not in part for part in parts) or "\ufffd" in text


def test_a_character_split_over_tokens_comes_with_its_last() -> None:
    ids = TOKENIZER.encode_bytes("猫".encode()[:1]) + TOKENIZER.encode_bytes("猫".encode()[1:])
    assert len(ids) == 3
    decoder = TOKENIZER.streaming_decoder()
    assert [decoder(i) for i in ids] == ["", "", "猫"]


def test_control_tokens_have_no_text() -> None:
    ids = [TOKENIZER.control(token) for token in CONTROL_TOKENS]
    assert ids == list(range(len(CONTROL_TOKENS)))
    assert TOKENIZER.decode([ids[0], *TOKENIZER.encode("cat"), ids[2]]) == "cat"


def test_training_is_deterministic_and_fills_the_vocab() -> None:
    again = Tokenizer.train([TEXT], 280)
    assert again.vocab == TOKENIZER.vocab == 280
    assert again.sha256 == TOKENIZER.sha256
    assert again.sha256 != Tokenizer.train([TEXT], 279).sha256


def test_a_saved_tokenizer_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path, context=64)
    again = Tokenizer.load(tmp_path)
    assert again.sha256 == TOKENIZER.sha256
    assert again.encode(TEXT + "<|end|>") == TOKENIZER.encode(TEXT + "<|end|>")
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 64


@pytest.mark.parametrize(
    ("vocab", "said"), [(SMALLEST_VOCAB - 1, f"at least {SMALLEST_VOCAB}"), (5000, "enough different words")]
)
def test_a_vocab_that_cannot_be(vocab: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Tokenizer.train([TEXT], vocab)


def test_the_smallest_vocab_knows_bytes_only() -> None:
    assert len(Tokenizer.train(["abc"], SMALLEST_VOCAB).encode("猫 cat")) == 7


def test_a_missing_a_damaged_and_a_foreign_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing there"):
        Tokenizer.load(tmp_path)
    TOKENIZER.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    whole = path.read_text()
    path.write_text(whole[:-50])
    with pytest.raises(ArtifactError, match="damaged"):
        Tokenizer.load(tmp_path)
    path.write_text(whole.replace("<|user|>", "<|human|>"))
    with pytest.raises(ArtifactError, match=r"control token <\|user\|>"):
        Tokenizer.load(tmp_path)
