"""LLaMA's kind against sentencepiece and the reference class."""

import json
import struct
from typing import Any

import pytest
import sentencepiece
import transformers
from hypothesis import given
from hypothesis import strategies as st

from gptwright.tokenizers.bytefallback import BYTES
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.tokenizer import Tokenizer

texts = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text("the cat\u2581  sn12\n.,\u732b", min_size=1),
)


@pytest.fixture(scope="module")
def tokenizer(learned: dict[str, Tokenizer]) -> Tokenizer:
    return learned["byte-fallback"]


@pytest.fixture(scope="module")
def reference(tokenizer: Tokenizer) -> Any:
    model = json.loads(tokenizer.backend.to_str())["model"]
    return transformers.LlamaTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


def field(number: int, wire: int, value: bytes | int) -> bytes:
    """One field of a Protocol Buffers message."""
    head = bytes([number << 3 & 127 | wire | (128 if number > 15 else 0), *([number >> 4] if number > 15 else [])])
    if isinstance(value, int):
        return head + bytes([value])
    size = bytes([len(value)]) if wire == 2 else b""
    return head + size + value


@pytest.fixture(scope="module")
def original(tokenizer: Tokenizer) -> sentencepiece.SentencePieceProcessor:
    """The same vocabulary as a sentencepiece model: a merge's score is minus its id."""
    model = b""
    for token, i in sorted(tokenizer.backend.get_vocab().items(), key=lambda item: item[1]):
        kind = 2 if token == "<unk>" else 6 if token in BYTES else 3 if i in tokenizer.all_special_ids else 1
        score = struct.pack("<f", -float(i))
        model += field(1, 2, field(1, 2, token.encode()) + field(2, 5, score) + field(3, 0, kind))
    none = [byte for part in (41, 42, 43) for byte in field(part, 0, 0)[:2] + b"\xff" * 9 + b"\x01"]
    model += field(2, 2, field(3, 0, 2) + field(35, 0, 1) + field(40, 0, 0) + bytes(none))
    model += field(3, 2, field(1, 2, b"identity") + field(4, 0, 0))
    return sentencepiece.SentencePieceProcessor(model_proto=model)


@given(text=texts)
def test_sentencepiece_gives_the_same_ids(
    tokenizer: Tokenizer, original: sentencepiece.SentencePieceProcessor, text: str
) -> None:
    ids = original.encode(text)
    assert tokenizer.encode(text) == ids
    assert tokenizer.decode(ids) == original.decode(ids) == text.replace("\u2581", " ")


@given(text=texts.filter(lambda text: not text.startswith((" ", "\u2581"))))
def test_the_reference_gives_the_same_ids(tokenizer: Tokenizer, reference: Any, text: str) -> None:
    """It keeps no space of its own in front of one that is there, unlike sentencepiece."""
    assert tokenizer.encode(text) == reference(text, split_special_tokens=True)["input_ids"]


def test_digits_stand_alone_and_the_unknown_falls_to_bytes(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.backend.encode("345\u1200").tokens
    assert tokens == ["\u2581", "3", "4", "5", "<0xE1>", "<0x88>", "<0x80>"]


def test_no_piece_goes_beyond_a_word(tokenizer: Tokenizer) -> None:
    known = [token for token in tokenizer.backend.get_vocab() if token not in BYTES]
    assert not [token for token in known if "\u2581" in token[1:]]
    assert not [token for token in known if len(token) > 1 and any(c.isdigit() for c in token)]
