"""Learning rates as functions of the step, counted from 0.

Steps are those of full batches: while the batch grows, a step with half the rows counts as half a step, so that all
schedules are curves over tokens, as GPT-3's are.
"""

from collections.abc import Callable
from functools import partial
from math import cos, inf, pi

Schedule = Callable[[float], float]


def cosine(peak: float, steps: float, warmup: int, floor: float = 0.1) -> Schedule:
    """Linear to the peak, then half a cosine down to `floor` × peak (GPT-3, LLaMA; GPT-1 to 0)."""

    def rate(step: float) -> float:
        if step < warmup:
            return peak * (step + 1) / warmup
        done = min((step - warmup) / max(steps - warmup, 1), 1.0)
        return peak * (floor + (1 - floor) * 0.5 * (1 + cos(pi * done)))

    return rate


def wsd(peak: float, steps: float, warmup: int, cooldown: float = 0.4) -> Schedule:
    """Linear up, flat, and linear to 0 over the last `cooldown` share: half-way models are as good as their steps."""

    def rate(step: float) -> float:
        rising = (step + 1) / max(warmup, 1)
        falling = (steps - step) / max(steps * cooldown, 1)
        return peak * min(1.0, rising, falling)

    return rate


def linear(peak: float, steps: float, warmup: int = 0) -> Schedule:
    """Linear up, then linear to 0."""
    return wsd(peak, steps, warmup, cooldown=1.0)


def constant(peak: float, steps: float, warmup: int = 0) -> Schedule:
    """Linear up, then flat."""
    return wsd(peak, inf, warmup)


def inverse_root(peak: float, steps: float, warmup: int) -> Schedule:
    """Linear up, then falling with the root of the step, without an end (Vaswani et al. 2017, eq. 3).

    The paper's own peak is (width · warmup) to the power −½.
    """
    warmup = max(warmup, 1)
    return lambda step: peak * min((step + 1) / warmup, (warmup / (step + 1)) ** 0.5)


SCHEDULES: dict[str, Callable[[float, float, int], Schedule]] = {
    "wsd": wsd,
    "cosine": cosine,
    "cosine-to-zero": partial(cosine, floor=0.0),
    "linear": linear,
    "constant": constant,
    "inverse-root": inverse_root,
}
