"""Laws of every kind: text is never control, streams are whole texts, what is saved is the same."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.registry import TRAINERS
from gptwright.tokenizers.special_tokens import CHAT_TOKENS, SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

EXACT = ["byte-level", "byte-fallback"]
SPELT = [*CHAT_TOKENS.tokens, "[CLS]", "[SEP]", "[MASK]", "<unk>", "<0x0A>"]

# Running text, any character, and attempts to speak in another's role, also ones that a careless removal would join.
texts = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.sampled_from([*SPELT, "<|us", "er|>", "<|<|user|>user|>", "<|en<|end|>d|>", "the cat", "猫", "👩‍🚀"]),
    ),
    max_size=6,
).map("".join)
hostile = pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
encoded = texts.map(str.encode)
byte_strings = st.one_of(st.binary(), encoded, st.tuples(encoded, st.binary(), encoded).map(b"".join))


@hostile
def test_no_hostile_text_becomes_control(any_kind: Tokenizer, text: str) -> None:
    ids = any_kind.encode(text)
    assert any_kind.all_special_ids.isdisjoint(ids)
    assert all(0 <= i < any_kind.vocab for i in ids)


@pytest.mark.parametrize("kind", list(TRAINERS))
@given(text=texts)
def test_no_text_becomes_control(learned: dict[str, Tokenizer], kind: str, text: str) -> None:
    assert learned[kind].all_special_ids.isdisjoint(learned[kind].encode(text))


@pytest.mark.parametrize("kind", EXACT)
@hostile
def test_hostile_texts_come_back(learned: dict[str, Tokenizer], kind: str, text: str) -> None:
    if kind == "byte-fallback":
        text = text.replace("▁", "_")
    assert learned[kind].decode(learned[kind].encode(text)) == text


@pytest.mark.parametrize("kind", EXACT)
@given(data=byte_strings)
def test_every_byte_string_comes_back(learned: dict[str, Tokenizer], kind: str, data: bytes) -> None:
    tokenizer, data = learned[kind], data.replace("▁".encode(), b"_")
    ids = tokenizer.encode_bytes(data)
    assert tokenizer.decode_bytes(ids) == data
    assert tokenizer.decode(ids) == data.decode("utf-8", "replace")
    assert tokenizer.all_special_ids.isdisjoint(ids)


@hostile
def test_decoding_is_the_librarys(any_kind: Tokenizer, text: str) -> None:
    ids = any_kind.encode(text)
    assert any_kind.decode(ids) == any_kind.backend.decode(ids)


def test_what_kinds_without_capitals_give_back(learned: dict[str, Tokenizer]) -> None:
    said = "The Cat sat,  on the MAT! 12"
    assert learned["gpt1"].decode(learned["gpt1"].encode(said)) == "the cat sat , on the mat ! 12"
    assert learned["wordpiece"].decode(learned["wordpiece"].encode(said)) == "the cat sat, on the mat! 12"


@pytest.mark.parametrize("kind", list(TRAINERS))
@given(many=st.lists(st.one_of(texts, st.text()), max_size=4))
def test_many_texts_are_encoded_as_one_by_one(learned: dict[str, Tokenizer], kind: str, many: list[str]) -> None:
    assert learned[kind].encode_many(many) == [learned[kind].encode(text) for text in many]


def test_halves_of_surrogate_pairs(any_kind: Tokenizer) -> None:
    said = any_kind.decode_bytes(any_kind.encode("e\udcff."))
    if any_kind.decode(any_kind.encode("É")) == "É":
        assert said == b"e\xff."
    else:
        assert said == any_kind.decode_bytes(any_kind.encode("e\ufffd."))
    assert any_kind.encode("a\ud800b") == any_kind.encode("a\ufffdb")
    assert any_kind.encode("") == []


@pytest.mark.parametrize("kind", list(TRAINERS))
@given(text=texts, data=st.binary(max_size=6))
def test_a_stream_of_tokens_gives_the_whole_text(
    learned: dict[str, Tokenizer], kind: str, text: str, data: bytes
) -> None:
    ids = learned[kind].encode_bytes(text.encode() + data)
    decoder = learned[kind].streaming_decoder()
    assert "".join([*map(decoder, ids), decoder.flush()]) == learned[kind].decode(ids)


@pytest.mark.parametrize("kind", EXACT)
def test_a_character_split_over_tokens_comes_with_its_last(learned: dict[str, Tokenizer], kind: str) -> None:
    ids = learned[kind].encode_bytes("\U0001f680".encode()[:1]) + learned[kind].encode_bytes("\U0001f680".encode()[1:])
    decoder = learned[kind].streaming_decoder()
    assert [decoder(i) for i in ids] == ["", "", "", "\U0001f680"]
    assert decoder.flush() == ""
    assert [decoder(ids[0]), decoder(ids[1]), decoder.flush()] == ["", "", "\ufffd"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [("byte-level", "the mat"), ("byte-fallback", " the mat"), ("gpt1", " the mat"), ("wordpiece", " the mat")],
)
def test_what_continues_a_text_keeps_its_space(learned: dict[str, Tokenizer], kind: str, said: str) -> None:
    ids = learned[kind].encode("the mat")
    decoder = learned[kind].streaming_decoder(begins=False)
    assert "".join([*map(decoder, ids), decoder.flush()]) == said


def test_control_tokens_have_no_text(any_kind: Tokenizer) -> None:
    ids = any_kind.encode("the cat")
    every = [any_kind.eos_id, any_kind.pad_id, *any_kind.stop_ids, *any_kind.all_special_ids]
    assert any_kind.decode([*every, *ids, *every, any_kind.vocab + 7]) == "the cat"
    decoder = any_kind.streaming_decoder()
    assert "".join([*map(decoder, [*every, *ids, *every]), decoder.flush()]) == "the cat"


def test_ids_by_their_use(learned: dict[str, Tokenizer]) -> None:
    tokenizer = learned["byte-level"]
    assert [tokenizer.special_id(token) for token in CHAT_TOKENS.tokens] == list(range(len(CHAT_TOKENS.tokens)))
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id, tokenizer.stop_ids) == (0, 0, 1, [2, 0, 3, 4, 5])
    bert = learned["wordpiece"]
    assert [bert.pad_id, bert.special_id("[UNK]"), bert.bos_id, bert.eos_id, bert.special_id("[MASK]")] == [
        0,
        1,
        2,
        3,
        4,
    ]
    for kind in ("byte-fallback", "gpt1"):
        assert learned[kind].special_tokens == CHAT_TOKENS
        assert [learned[kind].special_id(token) for token in ("<unk>", *CHAT_TOKENS.tokens)] == list(range(7))


@pytest.mark.parametrize("kind", list(TRAINERS))
def test_training_is_deterministic_and_fills_the_vocab(learned: dict[str, Tokenizer], kind: str, text: str) -> None:
    vocab = learned[kind].vocab
    again = TRAINERS[kind](iter([text]), vocab)
    assert again.vocab == vocab and again.sha256 == learned[kind].sha256
    assert again.sha256 != TRAINERS[kind]([text], vocab - 1).sha256


@pytest.mark.parametrize("kind", list(TRAINERS))
def test_a_vocab_that_cannot_be(kind: str, text: str) -> None:
    with pytest.raises(ConfigError, match="a vocab of at least"):
        TRAINERS[kind]([text], 100)
    with pytest.raises(ConfigError, match="enough different words"):
        TRAINERS[kind]([text], 9000)


def test_the_smallest_vocab_knows_bytes_only() -> None:
    assert len(bytelevel.train(["abc"], 262).encode("猫 cat")) == 7


def test_a_saved_tokenizer_is_the_same(any_kind: Tokenizer, text: str, tmp_path: Path) -> None:
    any_kind.save(tmp_path, context=64)
    again = Tokenizer.load(tmp_path)
    assert again.sha256 == any_kind.sha256 and again.special_tokens == any_kind.special_tokens
    assert again.encode(text + "<|end|>") == any_kind.encode(text + "<|end|>")
    assert json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))["model_max_length"] == 64


def backend_of(added: list[AddedToken]) -> Backend:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Backend(models.BPE({letter: i for i, letter in enumerate(letters)}, [], ignore_merges=True))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.add_tokens(added)
    return backend


def ending(template: str | None = None) -> SpecialTokens:
    return SpecialTokens(bos=None, eos="<end>", pad="<end>", stop=("<end>",), chat_template=template)


def test_control_tokens_that_the_vocabulary_did_not_call_special() -> None:
    """As GGUF files have them, and templates that write tokens such as <think>."""
    tokens = [AddedToken(t, special=False) for t in ("<end>", "<think>", "<tool>", "\n\n")]
    tokenizer = Tokenizer(backend_of(tokens), ending("{{ '<think>' }}\n\n"))
    assert tokenizer.all_special_ids == {tokenizer.special_id("<end>"), tokenizer.special_id("<think>")}
    assert tokenizer.all_special_ids.isdisjoint(tokenizer.encode("<end><think>"))
    assert tokenizer.encode("<tool>\n\n") == [tokenizer.special_id("<tool>"), tokenizer.special_id("\n\n")]
    shown = [tokenizer.special_id(token) for token in ("<end>", "<think>", "\n\n", "<tool>")]
    assert tokenizer.decode(shown) == "<think>\n\n<tool>"


def test_truncation_and_padding_of_a_foreign_file_are_off() -> None:
    backend = backend_of([AddedToken("<end>", special=True)])
    backend.enable_truncation(4)
    backend.enable_padding(length=8)
    assert len(Tokenizer(backend, ending()).encode("a long text")) == 11


def test_a_tokenizer_without_its_control_tokens() -> None:
    with pytest.raises(ArtifactError, match="the special token <end>"):
        Tokenizer(backend_of([]), ending())


def test_a_tokenizer_that_reads_control_in_text() -> None:
    backend = Backend(models.WordLevel({"<end>": 0, "a": 1}, unk_token="a"))
    with pytest.raises(ArtifactError, match="keeps text and special tokens apart"):
        Tokenizer(backend, ending())


def test_a_decoder_of_no_known_kind() -> None:
    backend = backend_of([AddedToken("<end>", special=True)])
    backend.decoder = decoders.CTC()
    with pytest.raises(ArtifactError, match="decoder is ByteLevel"):
        Tokenizer(backend, ending())
