"""tiktoken in the place of the library: only where it gives the same ids."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.tokenizers import edge_cases
from gptwright.tokenizers.tiktoken_backend import tiktoken_encoder
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import AddedToken, Regex, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

texts = st.one_of(st.sampled_from(edge_cases.TEXTS), st.text(st.characters(exclude_categories=["Cs"])))


@pytest.fixture
def backend(learned: dict[str, Tokenizer]) -> Backend:
    copy = Backend.from_str(learned["byte-level"].backend.to_str())
    copy.encode_special_tokens = True
    return copy


@pytest.fixture(scope="module")
def encode(learned: dict[str, Tokenizer]) -> Callable[[str], list[int]]:
    found = tiktoken_encoder(learned["byte-level"].text_backend)
    assert found is not None
    return found


@given(text=texts)
def test_the_same_ids(learned: dict[str, Tokenizer], encode: Callable[[str], list[int]], text: str) -> None:
    assert encode(text) == learned["byte-level"].text_backend.encode(text, add_special_tokens=False).ids


def test_more_spaces_than_tiktoken_can_stand(learned: dict[str, Tokenizer], encode: Callable[[str], list[int]]) -> None:
    text = "a" + " " * 1_100_000 + "b"
    assert learned["byte-level"].decode(encode(text)) == text


def test_words_cut_by_another_pattern(backend: Backend) -> None:
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    cut = pre_tokenizers.Split(Regex(r"\p{L}|\p{N}{1,2}|\s+|[^\s\p{L}\p{N}]+"), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([cut, letters])
    encode = tiktoken_encoder(backend)
    assert encode and encode("a cat12345") == backend.encode("a cat12345").ids
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel()])
    assert tiktoken_encoder(backend) is None


def test_halves_of_surrogate_pairs_are_left_to_the_tokenizer(encode: Callable[[str], list[int]]) -> None:
    with pytest.raises(UnicodeEncodeError):
        encode("a\ud800")


def test_what_a_rank_encoder_cannot_do(backend: Backend, learned: dict[str, Tokenizer]) -> None:
    for kind in ("byte-fallback", "gpt1", "wordpiece"):
        assert tiktoken_encoder(learned[kind].text_backend) is None
    backend.normalizer = normalizers.NFC()
    assert tiktoken_encoder(backend) is None
    backend.normalizer = None
    assert tiktoken_encoder(backend) is not None
    backend.add_tokens([AddedToken("cat", special=False)])
    assert tiktoken_encoder(backend) is None


def test_ids_that_do_not_follow_the_merges(backend: Backend) -> None:
    state = backend.to_str()
    first, second = backend.id_to_token(300), backend.id_to_token(301)
    exchanged = state.replace(f'"{first}":300', f'"{first}":301').replace(f'"{second}":301', f'"{second}":300')
    assert state != exchanged
    assert tiktoken_encoder(Backend.from_str(exchanged)) is None


def test_one_different_id_and_tiktoken_is_not_used(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    import tiktoken

    class Wrong(tiktoken.Encoding):
        def encode_ordinary(self, text: str) -> list[int]:
            return super().encode_ordinary(text.replace("\u3000", " "))

    monkeypatch.setattr(tiktoken, "Encoding", Wrong)
    assert tiktoken_encoder(backend) is None


def test_without_tiktoken(backend: Backend, learned: dict[str, Tokenizer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)  # as if it were not installed
    assert tiktoken_encoder(backend) is None
    fresh: Any = Tokenizer(backend, learned["byte-level"].special_tokens)
    assert fresh.encode_many(list(edge_cases.TEXTS)) == learned["byte-level"].encode_many(edge_cases.TEXTS)
