from typing import Any

import pytest

from gptwright.evaluation.intervals import Estimate
from gptwright.reporting.values import estimate, estimates, items, number, table, whole


@pytest.mark.parametrize(("value", "expected"), [(3, 3.0), (0.5, 0.5), (True, None), ("3", None), (None, None),
                                                 (float("nan"), None), (float("inf"), None)])  # fmt: skip
def test_only_finite_numbers_are_numbers(value: Any, expected: float | None) -> None:
    assert number(value) == expected


def test_what_is_of_another_kind_counts_as_absent() -> None:
    assert table([1]) == {} and items({"a": 1}) == [] and whole("many") == 0
    assert estimate({"value": 0.5, "low": 0.4}) is None


def test_an_estimate_has_its_interval() -> None:
    whole_one = {"value": 0.5, "low": 0.4, "high": 0.6, "count": 10}
    assert estimates({"a": whole_one, "b": 3}) == {"a": Estimate(0.5, 0.4, 0.6, 10)}
