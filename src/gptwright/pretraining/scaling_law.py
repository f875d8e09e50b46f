"""How loss falls with size, tokens, rate and batch: fitted to runs on the bundled corpus, kept as a few numbers.

    loss(N, D) = ((N₀ / N)^(α / β) + D₀ / D)^β        (Kaplan et al. 2020, eq. 1.5)

in nats a token of a vocabulary of 2,048; other text has another loss, but much the same best size for its compute.
The runs, the fit and its picture: `benchmarks/scaling.py` and LOG.md.
"""

from dataclasses import dataclass
from math import exp

ALPHA, BETA = 0.14375, 0.115
N0, D0 = 2.1696e9, 1.6183e11
LASTING = 15.4  # epochs after which reading the same text again has lost 1 - 1/e of its worth (Muennighoff et al. 2023)
BATCH, BATCH_TOKENS = 2048, 1_000_000  # tokens a step, best for so many tokens in all
BATCH_GROWTH = 0.5


@dataclass(frozen=True)
class BestRate:
    """Peak rate at a width of 192 and 2,048 tokens a step, and how it changes with the width."""

    rate: float
    width: float
    too_high: float
    """so many times it is clearly wrong"""


RATES = {"muon": BestRate(6e-3, -0.5, 10.0), "adamw": BestRate(1.5e-3, -0.5, 10.0)}
TOO_LOW = 100.0


def loss(parameters: float, tokens: float) -> float:
    """Nats a token after reading fresh `tokens` with so many parameters in matrix products."""
    return ((N0 / parameters) ** (ALPHA / BETA) + D0 / tokens) ** BETA


def effective_tokens(tokens: float, unique: float) -> float:
    """Fresh tokens that `tokens` are as good as, when there are `unique` different ones to read again and again."""
    again = max(tokens / unique - 1, 0.0)
    return min(tokens, unique) + unique * LASTING * (1 - exp(-again / LASTING))


def best_rate(optim: str, width: int) -> float:
    """The peak learning rate."""
    best = RATES[optim]
    return best.rate * (width / 192) ** best.width


def best_batch(tokens: float) -> int:
    """Tokens a step, for a run that reads so many in all: few while there is much to learn from each."""
    return round(BATCH * (tokens / BATCH_TOKENS) ** BATCH_GROWTH)


def rate_warning(optim: str, width: int, rate: float) -> str | None:
    """What is to be said against a rate that is clearly wrong; None when there is nothing."""
    best = best_rate(optim, width)
    if best / TOO_LOW < rate < best * RATES[optim].too_high:
        return None
    way = "high" if rate > best else "low"
    return (f"a rate of {rate:g} is far too {way} for {optim} at a width of {width}: "
            f"about {best:.1g} is best here (--learning-rate {best:.1g})")  # fmt: skip
