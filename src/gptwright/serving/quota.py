"""How many requests a key may make in a minute: a bucket that fills evenly, and is empty after as many at once."""

import math
import time
from collections.abc import Callable

from gptwright.serving.api_errors import APIError


class Quotas:
    """The buckets of all keys, by id."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def spend(self, id: str, per_minute: int) -> None:
        """A request by this key. Raises `APIError` (429), which says when there is room again."""
        now = self._clock()
        left, since = self._left.get(id, (float(per_minute), now))
        left = min(left + (now - since) * per_minute / 60, float(per_minute))
        if left < 1:
            wait = max(1, math.ceil((1 - left) * 60 / per_minute))
            raise APIError(429, f"This key may make {per_minute} requests a minute.", code="rate_limit_exceeded",
                           headers={"retry-after": str(wait)})  # fmt: skip
        self._left[id] = left - 1, now
