"""Quotas: as many at once as in a minute, then as they come back."""

import pytest

from gptwright.serving.api_errors import APIError
from gptwright.serving.quota import FEW, Quotas


def test_a_bucket_fills_evenly() -> None:
    now = 0.0
    quotas = Quotas(lambda: now)
    for _ in range(6):
        quotas.spend("a", 6)
    with pytest.raises(APIError) as refused:
        quotas.spend("a", 6)
    assert refused.value.status == 429 and refused.value.headers["retry-after"] == "10"
    quotas.spend("b", 6)
    now = 10.0
    quotas.spend("a", 6)
    with pytest.raises(APIError):
        quotas.spend("a", 6)
    now = 10_000.0
    for _ in range(6):
        quotas.spend("a", 6)
    with pytest.raises(APIError):
        quotas.spend("a", 6)


def test_what_is_given_back_was_not_spent_and_who_may_again_is_forgotten() -> None:
    now = 0.0
    quotas = Quotas(lambda: now)
    for _ in range(10):
        quotas.spend("a", 2, seconds=900, what="There may be {} tries")
        quotas.give_back("a")
    quotas.give_back("unknown")
    for _ in range(2):
        quotas.spend("a", 2, seconds=900, what="There may be {} tries")
    with pytest.raises(APIError, match="There may be 2 tries in 15 minutes") as refused:
        quotas.spend("a", 2, seconds=900, what="There may be {} tries")
    assert refused.value.headers["retry-after"] == "450"
    for at in range(10 * FEW):
        now += 60.0
        quotas.spend(f"one of many {at}", 2)
    assert len(quotas._left) <= FEW + 1  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(APIError):
        for _ in range(3):
            quotas.spend("a", 2)
