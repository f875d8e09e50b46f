from math import sqrt

import pytest

from gptwright.evaluation.intervals import mean, share


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        # Newcombe (1998), table I, method 3: the Wilson interval without continuity correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_shares_have_wilsons_interval(hits: int, count: int, low: float, high: float) -> None:
    found = share(hits, count)
    assert (found.value, found.count) == (hits / count, count)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_nothing_measured_says_nothing() -> None:
    found = share(0, 0)
    assert (found.low, found.high, found.count) == (0.0, 1.0, 0)


def test_half_wins_count() -> None:
    assert share(1.5, 3).value == 0.5


def test_a_mean_by_hand() -> None:
    found = mean([1.0, 2.0, 3.0, 6.0])
    spread = sqrt((4 + 1 + 0 + 9) / 3)
    assert found.value == 3.0
    assert found.high - 3.0 == pytest.approx(1.96 * spread / 2, rel=1e-4)
    assert 3.0 - found.low == pytest.approx(found.high - 3.0)
    assert mean([5.0]).low == 5.0
