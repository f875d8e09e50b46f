from typing import Any

import pytest

from gptwright.reporting.values import items, number, table, whole


@pytest.mark.parametrize(("value", "expected"), [(3, 3.0), (0.5, 0.5), (True, None), ("3", None), (None, None),
                                                 (float("nan"), None), (float("inf"), None)])  # fmt: skip
def test_only_finite_numbers_are_numbers(value: Any, expected: float | None) -> None:
    assert number(value) == expected


def test_what_is_of_another_kind_counts_as_absent() -> None:
    assert table([1]) == {} and items({"a": 1}) == [] and whole("many") == 0
