import random
from pathlib import Path

import numpy as np
import pytest
import torch

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.pretraining.nsp_pairs import SentencePairs, SpecialIds
from gptwright.text.pack import TokenFile, pack
from gptwright.tokenizers.tokenizer import Tokenizer

WORDS = (
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "and",
    "dog",
    "ran",
    "to",
    "sea",
    "where",
    "we",
    "like",
    "is",
    "warm",
    "free",
)


def packed(texts: list[str], tokenizer: Tokenizer, folder: Path) -> TokenFile:
    pack(texts, tokenizer.encode_many, tokenizer.special_id("[SEP]"), folder / "x", tokenizer.vocab, tokenizer.sha256)
    return TokenFile.open(folder / "x")


def page(dice: random.Random, sentences: int) -> str:
    return " ".join(" ".join(dice.choices(WORDS, k=dice.randrange(3, 9))) + "." for _ in range(sentences))


@pytest.fixture
def pairs(wordpiece: Tokenizer, tmp_path: Path) -> SentencePairs:
    dice = random.Random(1)
    texts = [page(dice, 40) for _ in range(12)]
    return SentencePairs(packed(texts, wordpiece, tmp_path), SpecialIds.of(wordpiece))


def spans(batch: object, row: int) -> tuple[list[int], list[int]]:
    ids, segments, ordinary = (getattr(batch, name)[row] for name in ("ids", "segments", "ordinary"))
    return ids[ordinary & (segments == 0)].tolist(), ids[ordinary & (segments == 1)].tolist()


def places(tokens: TokenFile, span: list[int]) -> list[tuple[int, int]]:
    """Every (document, start) where the span stands."""
    found: list[tuple[int, int]] = []
    for number in range(len(tokens.documents)):
        text = tokens.document(number).tolist()
        found += [(number, i) for i in range(len(text) - len(span) + 1) if text[i : i + len(span)] == span]
    return found


def test_the_frame_of_a_pair(pairs: SentencePairs, wordpiece: Tokenizer) -> None:
    batch = pairs.batch(3, rows=20, length=48)
    cls, sep, pad = (wordpiece.special_id(f"[{name}]") for name in ("CLS", "SEP", "PAD"))
    for row in range(20):
        first, second = spans(batch, row)
        end = int(batch.lengths[row])
        assert first and second
        assert batch.ids[row].tolist() == [cls, *first, sep, *second, sep] + [pad] * (48 - end)
        assert batch.segments[row].tolist() == [0] * (len(first) + 2) + [1] * (len(second) + 1) + [0] * (48 - end)
        assert int(batch.ordinary[row].sum()) == len(first) + len(second) == end - 3


def test_half_of_the_second_texts_follow_the_first_and_half_are_from_another_document(pairs: SentencePairs) -> None:
    batch = pairs.batch(5, rows=300, length=40)
    for row in range(300):
        first, second = spans(batch, row)
        behind = {(document, start + len(first)) for document, start in places(pairs.tokens, first)}
        if len(first) >= 10:
            assert len(behind) == 1, "long enough to stand in one place"
            follows = behind <= set(places(pairs.tokens, second))
            assert follows == bool(batch.follows[row])
            if not follows and len(second) >= 10:
                assert {d for d, _ in places(pairs.tokens, second)} != {d for d, _ in behind}
    assert 124 <= int(batch.follows.sum()) <= 176, "three deviations around 150"


def test_texts_begin_where_sentences_do(pairs: SentencePairs) -> None:
    batch = pairs.batch(9, rows=50, length=40)
    full_stop = int(pairs.frame.ends[0])
    for row in range(50):
        first, second = spans(batch, row)
        assert first[-1] == full_stop, "A ends with its sentence, and so B begins with one"
        for span in (first, second):
            starts = [(d, start) for d, start in places(pairs.tokens, span)]
            assert any(start == 0 or pairs.tokens.document(d)[start - 1] == full_stop for d, start in starts)


def test_rows_are_full_and_lengths_say_nothing(pairs: SentencePairs) -> None:
    batch = pairs.batch(11, rows=400, length=64)
    assert float(batch.lengths.float().mean()) > 0.99 * 64
    assert batch.lengths[batch.follows].float().mean() == pytest.approx(
        float(batch.lengths[~batch.follows].float().mean()), abs=0.1
    )


def test_a_pure_function_of_the_seed(pairs: SentencePairs) -> None:
    one, same, other = (pairs.batch(seed, rows=4, length=32) for seed in (2**63, 2**63, 8))
    assert torch.equal(one.ids, same.ids) and torch.equal(one.follows, same.follows)
    assert not torch.equal(one.ids, other.ids)
    fewer = pairs.batch(8, rows=2, length=32)
    assert torch.equal(fewer.ids, other.ids[:2]), "a row does not depend on how many there are"


def test_documents_are_as_likely_as_they_are_long(wordpiece: Tokenizer, tmp_path: Path) -> None:
    long, short = ["cat"] * 1500, ["dog"] * 500
    pairs = SentencePairs(packed([" ".join(long), " ".join(short)], wordpiece, tmp_path), SpecialIds.of(wordpiece))
    batch = pairs.batch(1, rows=1000, length=16)
    cats = int((batch.ids[:, 1] == wordpiece.encode("cat")[0]).sum())
    assert 700 <= cats <= 800, "three and a half deviations around 750"


def test_a_text_without_sentences_is_cut_anywhere(wordpiece: Tokenizer, tmp_path: Path) -> None:
    texts = [" ".join(WORDS * 6), " ".join(reversed(WORDS * 6))]
    pairs = SentencePairs(packed(texts, wordpiece, tmp_path), SpecialIds.of(wordpiece))
    lengths = {len(spans(pairs.batch(1, rows=100, length=20), row)[0]) for row in range(100)}
    assert lengths == set(range(1, 17))


def test_short_documents_and_one_that_is_nearly_everything(wordpiece: Tokenizer, tmp_path: Path) -> None:
    texts = ["cat", "", "dog ran", " ".join(["sea"] * 4000)]
    pairs = SentencePairs(packed(texts, wordpiece, tmp_path), SpecialIds.of(wordpiece))
    batch = pairs.batch(1, rows=200, length=24)
    for row in range(200):
        first, second = spans(batch, row)
        assert len(first) >= 1 and len(second) >= 1
        assert bool(batch.follows[row]) == (first[-1] == second[0] or len(first) == 1 == len(second))
    assert 60 <= int(batch.follows.sum()) <= 140


@pytest.mark.parametrize("texts", [["the cat sat on the mat"], ["cat", "the cat sat", ""]])
def test_one_document_has_no_elsewhere(texts: list[str], wordpiece: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two documents"):
        SentencePairs(packed(texts, wordpiece, tmp_path), SpecialIds.of(wordpiece))


def test_ends_of_sentences_are_those_the_tokenizer_knows(wordpiece: Tokenizer, tokenizer: Tokenizer) -> None:
    assert np.array_equal(SpecialIds.of(wordpiece).ends, [wordpiece.encode(mark)[0] for mark in ".!?"])
    with pytest.raises(ArtifactError, match=r"\[UNK\]"):
        SpecialIds.of(tokenizer)
