import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ConfigError
from gptwright.layers.masks import (
    CAUSAL,
    FULL,
    Banded,
    Both,
    Documents,
    Mask,
    Padded,
    PositionMask,
    Strided,
    within,
)

ALL = [FULL, CAUSAL, Banded(3), Strided(3)]


def seen(mask: Mask, length: int) -> list[str]:
    rows = mask.allowed(torch.arange(length)[None], length)[0].int().tolist()
    return ["".join(map(str, row)) for row in rows]


def test_a_query_sees_itself_and_what_came_before() -> None:
    allowed = CAUSAL.allowed(torch.tensor([[0, 2], [1, 3]]), 4)
    assert allowed.int().tolist() == [[[1, 0, 0, 0], [1, 1, 1, 0]], [[1, 1, 0, 0], [1, 1, 1, 1]]]


def test_everybody_sees_everybody() -> None:
    assert FULL.allowed(torch.arange(2)[None], 3).all()


def test_a_band() -> None:
    assert seen(Banded(2), 5) == ["10000", "11000", "01100", "00110", "00011"]


def test_a_stride_keeps_its_band_and_its_column() -> None:
    assert seen(Strided(3), 8) == [
        "10000000",
        "11000000",
        "11100000",
        "11110000",
        "01111000",
        "00111100",
        "10011110",
        "01001111",
    ]


@given(st.integers(1, 40), st.integers(1, 50))
def test_the_known_relations_between_patterns(number: int, length: int) -> None:
    assert seen(Banded(length + number), length) == seen(CAUSAL, length)
    assert seen(Strided(1), length) == seen(CAUSAL, length)
    assert seen(Both(Strided(number), Banded(number)), length) == seen(Banded(number), length)


@pytest.mark.parametrize("mask", ALL, ids=str)
def test_a_position_sees_the_same_wherever_it_is_asked(mask: PositionMask) -> None:
    """Rows of other lengths, one query at a time, as a cache asks."""
    whole = mask.allowed(torch.arange(11)[None], 11)[0]
    at = torch.tensor([[2], [10], [7]])
    assert torch.equal(mask.allowed(at, 11)[:, 0], whole[at[:, 0]])
    assert torch.equal(mask.allowed(at, 6)[:, 0], whole[at[:, 0], :6])


@pytest.mark.parametrize("mask", ALL, ids=str)
def test_equal_masks_are_one_key_of_a_dictionary(mask: PositionMask) -> None:
    again = type(mask)(**vars(mask))
    assert again == mask and hash(again) == hash(mask) and again is not mask


def test_padding_is_not_seen() -> None:
    allowed = Padded(torch.tensor([3, 1])).allowed(torch.arange(2)[None], 4)
    assert allowed.int().tolist() == [[[1, 1, 1, 0]] * 2, [[1, 0, 0, 0]] * 2]


def test_documents_do_not_see_each_other_and_begin_at_0() -> None:
    # 9 closes a document and opens the next; the first row begins in the middle of one.
    ids = torch.tensor([[4, 5, 9, 6, 9, 7], [9, 4, 4, 4, 4, 9]])
    documents = Documents.begun_by(9, ids)
    assert documents.numbers.tolist() == [[0, 0, 1, 1, 2, 2], [1, 1, 1, 1, 1, 2]]
    assert documents.positions().tolist() == [[0, 1, 0, 1, 0, 1], [0, 1, 2, 3, 4, 0]]
    mask = within(CAUSAL, documents)
    assert seen(mask, 6) == ["100000", "110000", "001000", "001100", "000010", "000011"]
    assert mask.allowed(torch.tensor([[5]]), 6)[1].int().tolist() == [[0, 0, 0, 0, 0, 1]]
    assert within(CAUSAL, None) is CAUSAL


def test_both_allow_what_each_allows() -> None:
    allowed = Both(CAUSAL, Padded(torch.tensor([3, 1]))).allowed(torch.arange(3)[None], 3)
    assert allowed.int().tolist() == [[[1, 0, 0], [1, 1, 0], [1, 1, 1]], [[1, 0, 0], [1, 0, 0], [1, 0, 0]]]


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: Banded(0), "0"),
        (lambda: Strided(-2), "-2"),
        (lambda: Padded(torch.tensor([4, 0])), "0"),
    ],
)
def test_numbers_without_meaning_are_refused(make: object, got: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.got == got
