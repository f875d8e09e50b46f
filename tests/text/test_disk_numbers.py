import numpy as np
import pytest

from gptwright.text import disk_numbers
from gptwright.text.disk_numbers import DiskNumbers


def test_numbers_are_as_they_were_set_and_nought_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_numbers, "_PIECE", 4)
    with DiskNumbers() as numbers:
        assert list(numbers.pieces()) == [] and numbers[3] == 0
        wanted = np.zeros(11, np.uint64)
        for place, number in ((2, 5), (10, 2**40), (2, 7)):
            numbers[place] = wanted[place] = number
        assert [numbers[place] for place in range(12)] == [*wanted, 0]
        pieces = list(numbers.pieces())
        assert [place for place, _ in pieces] == [0, 4, 8]
        assert (np.concatenate([piece for _, piece in pieces]) == wanted).all()
