"""How often something may be done in a while: a bucket that fills evenly, and is empty after as many at once."""

import math
import time
from collections.abc import Callable

from gptwright.serving.api_errors import APIError

FEW = 1000
"""buckets that are kept without a look at which of them are full again, and need not be"""


class Quotas:
    """The buckets of all who do it, by id."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float, float]] = {}
        self._looked = FEW

    def spend(self, id: str, most: int, *, seconds: float = 60.0, what: str = "This key may make {} requests") -> None:
        """Once more by `id`, who may do it `most` times in `seconds`. Raises `APIError` (429), which says when there is
        room again."""
        now, rate = self._clock(), most / seconds
        left, since, _ = self._left.get(id, (float(most), now, now))
        left = min(left + (now - since) * rate, float(most))
        if left < 1:
            wait = max(1, math.ceil((1 - left) / rate))
            span = "a minute" if seconds == 60 else f"in {seconds / 60:.0f} minutes"
            raise APIError(429, f"{what.format(most)} {span}.", code="rate_limit_exceeded",
                           headers={"retry-after": str(wait)})  # fmt: skip
        self._left[id] = left - 1, now, now + (most - left + 1) / rate
        if len(self._left) > self._looked:
            self._left = {id: bucket for id, bucket in self._left.items() if bucket[2] > now}
            self._looked = max(FEW, 2 * len(self._left))

    def give_back(self, id: str) -> None:
        """What was spent last does not count."""
        if id in self._left:
            left, since, full = self._left[id]
            self._left[id] = left + 1, since, full
