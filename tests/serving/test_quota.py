"""Quotas: as many at once as in a minute, then as they come back."""

import pytest

from gptwright.serving.api_errors import APIError
from gptwright.serving.quota import Quotas


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
