"""Rows of the same unit are found wherever they begin, whole, and of any length of unit."""

import random

import pytest

from gptwright.text.lint.consecutive_repeats import LEAST, TIMES, Repeat, longest_repeat


@pytest.mark.parametrize("unit", ["ha ", "no, ", "a", "哈", "我不知道。", "a sentence of some length, ", "ใช่ "])
@pytest.mark.parametrize("before", [0, 1, 59, 60, 61, 500])
def test_rows_are_found_whole(unit: str, before: int) -> None:
    draw = random.Random(before)
    opening, end = ("".join(draw.choice("bcdefghijkl") for _ in range(size)) for size in (before, 300))
    times = max(TIMES, LEAST // len(unit) + 1)
    found = longest_repeat(f"{opening}{unit * times}{end}")
    assert found is not None and found.times >= times - 1
    assert found.begin <= before + len(unit) and found.end >= before + len(unit) * (times - 1)


def test_the_longest_is_given_and_others_are_none() -> None:
    assert longest_repeat("la " * 60 + "; " + "so " * 90) == Repeat(" so", 181, 452)
    for text in ("", "la " * 20, "0, " * 200, "-" * 900, "一二三四五六七" * (TIMES - 1)):
        assert longest_repeat(text) is None


def test_a_unit_of_one_sign_costs_its_length_once() -> None:
    assert longest_repeat("a" * 200_000) == Repeat("a", 0, 200_000)
