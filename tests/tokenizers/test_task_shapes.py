"""The four input transformations, id by id as figure 1 of GPT-1 has them, and an encoder's own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.tokenizers.task_shapes import TEXTS, Marks, TaskShape, segments
from gptwright.tokenizers.tokenizer import Tokenizer

START, DELIM, EXTRACT = 100, 101, 102
MARKS = Marks(START, DELIM, EXTRACT)
A, B, C, D = [1, 2], [3], [4, 5, 6], []


@pytest.mark.parametrize(
    ("shape", "texts", "rows"),
    [
        ("classification", [A], [[START, 1, 2, EXTRACT]]),
        ("entailment", [A, B], [[START, 1, 2, DELIM, 3, EXTRACT]]),
        ("similarity", [A, B], [[START, 1, 2, DELIM, 3, EXTRACT], [START, 3, DELIM, 1, 2, EXTRACT]]),
        ("multiple-choice", [A, B, C, D], [[START, 1, 2, DELIM, 3, EXTRACT], [START, 1, 2, DELIM, 4, 5, 6, EXTRACT],
                                           [START, 1, 2, DELIM, EXTRACT]]),
    ],
)  # fmt: skip
def test_every_shape_is_the_papers_figure(shape: str, texts: list[list[int]], rows: list[list[int]]) -> None:
    assert TaskShape(name=shape, both_orders=shape == "similarity").rows(texts, MARKS) == rows


def test_an_encoder_reads_two_texts_in_one_order_and_tells_them_by_segments(wordpiece: Tokenizer) -> None:
    shape = TaskShape.of_encoder("similarity")
    cls, sep = (wordpiece.special_id(name) for name in ("[CLS]", "[SEP]"))
    (row,) = shape.rows([A, B], shape.marks(wordpiece))
    assert row == [cls, 1, 2, sep, 3, sep]
    ids = torch.tensor([[*row, 0, 0], [cls, 7, sep, 0, 0, 0, 0, 0]])
    assert segments(ids, sep)[0, :6].tolist() == [0, 0, 0, 0, 1, 1]
    assert segments(ids, sep)[1, :3].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("shape", "count"), [("classification", 2), ("entailment", 1), ("similarity", 3), ("multiple-choice", 2)]
)
def test_the_number_of_texts_is_checked(shape: str, count: int) -> None:
    with pytest.raises(InputError, match=f"for {shape}; got {count}"):
        TaskShape(name=shape).rows([A] * count, MARKS)


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'similarity'"):
        TaskShape(name="similar")


IDS = st.lists(st.integers(0, 9), max_size=40)


@given(st.sampled_from(sorted(TEXTS)), st.lists(IDS, min_size=4, max_size=4), st.integers(8, 64))
def test_what_is_cut_fits_and_what_fits_is_not_cut(name: str, texts: list[list[int]], context: int) -> None:
    texts = texts[: {"classification": 1, "entailment": 2, "similarity": 2, "multiple-choice": 4}[name]]
    shape = TaskShape(name=name, both_orders=name == "similarity")
    fitted = shape.fitted(texts, context)
    rows = shape.rows(fitted, MARKS)
    assert all(len(row) <= context for row in rows)
    assert all(text[: len(cut)] == cut for text, cut in zip(texts, fitted, strict=True)), "the end goes"
    if all(len(row) <= context for row in shape.rows(texts, MARKS)):
        assert fitted == texts
    elif len(texts) < 3:
        assert all(len(row) == context for row in rows), "no more is cut than must be"


def test_new_tokens_follow_all_others(tokenizer: Tokenizer) -> None:
    shape = TaskShape(name="entailment")
    grown = tokenizer.with_additional(shape.tokens)
    before, after = tokenizer.backend.get_vocab(), grown.backend.get_vocab()
    assert shape.marks(grown) == tuple(range(tokenizer.vocab, tokenizer.vocab + 3))
    assert {token: id for token, id in after.items() if token in before} == before
    assert grown.special_tokens.stop == tokenizer.special_tokens.stop
    assert grown.encode("the <|start|> cat") == tokenizer.encode("the <|start|> cat"), "a text never becomes one"
    assert grown.with_additional(shape.tokens).vocab == grown.vocab, "known ones stay"
    with pytest.raises(ConfigError, match="the vocabulary has already"):
        tokenizer.with_additional(["a"])
