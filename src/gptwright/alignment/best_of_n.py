"""Best of n: what the best of fewer answers than were sampled is worth, without bias, and how far it strays.

Any n of the N answers to a prompt are as good a draw of n as any others: what is measured is the mean over all of
these subsets, in closed form (Chen et al. 2021, §2.1, of pass@k; Nakano et al. 2021, app. I, of rewards).
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, log

from gptwright.alignment.prompts import Prompt


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A prompt with its N answers in the order in which they were drawn."""

    prompt: Prompt
    answers: Sequence[str]
    scores: Sequence[float]
    """by which the best is chosen; of equal ones the first"""
    ended: Sequence[bool]
    """whether an answer came to its end"""
    gold: Sequence[float] | None = None
    """scores by a judge that does not choose"""

    def best(self, n: int) -> int:
        """Which of the first n is the best."""
        return max(range(n), key=self.scores.__getitem__)


def best_of(n: int, scores: Sequence[float], values: Sequence[float]) -> float:
    """The mean value of the answer with the highest score among n, over all subsets of n of the N answers."""
    chosen = zip(_chances(n, len(scores)), _worst_first(scores), strict=True)
    return sum(chance * values[i] for chance, i in chosen)


def wins(n: int, scores: Sequence[float], values: Sequence[float]) -> float:
    """How often that answer's value is above that of the first of the same n answers; equal values count half.

    The first answer is the best one itself in one draw of n, and else any of those below it.
    """
    below: list[float] = []
    found = 0.0
    for chance, i in zip(_chances(n, len(scores)), _worst_first(scores), strict=True):
        beaten = (bisect_left(below, values[i]) + bisect_right(below, values[i])) / 2
        found += chance * (0.5 + (n - 1) * (beaten / len(below) if below else 0.0)) / n
        insort(below, values[i])
    return found


def kl_bound(n: int) -> float:
    """Nats between the best of n and one answer: log n − (n − 1)/n at most, and just that where no two answers are
    equal (Stiennon et al. 2020, app. G.3; Beirami et al. 2024)."""
    return log(n) - (n - 1) / n


def sizes(samples: int) -> list[int]:
    """1, 2, 4 … and at last all of them."""
    return sorted({2**power for power in range(samples.bit_length())} | {samples})


def _chances(n: int, count: int) -> list[float]:
    """How likely n of `count` answers have the i-th worst as their best: the other n − 1 are among the i below it."""
    return [comb(i, n - 1) / comb(count, n) for i in range(count)]


def _worst_first(scores: Sequence[float]) -> list[int]:
    """Of equal scores the first answer comes last: it is the one that is taken."""
    return sorted(range(len(scores)), key=lambda i: (scores[i], -i))
