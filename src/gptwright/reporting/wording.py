"""Numbers as a reader likes them. Shares come as 0 to 1 and are shown in percent; spaces before units do not break."""

from gptwright.training.evaluation import Estimate

MISSING = "–"


def plain(value: float | None, digits: int = 2) -> str:
    """1,234.50, or a dash when there is none."""
    return MISSING if value is None else f"{value:,.{digits}f}".replace("-", "−")


def percent(share: float | None, digits: int = 0) -> str:
    """0.856 as 86 %."""
    return MISSING if share is None else f"{100 * share:.{digits}f}\u00a0%"


def interval(estimate: Estimate) -> str:
    """The 95 % interval in percent: 83.1–87.9."""
    return f"{100 * estimate.low:.1f}–{100 * estimate.high:.1f}"


def full(estimate: Estimate, things: str) -> str:
    """85.6 % (83.1–87.9) of 828 questions."""
    return f"{percent(estimate.value, 1)} ({interval(estimate)}) of {estimate.count:,} {things}"


def amount(value: float | None) -> str:
    """2222208 as 2.22 million: three figures and a word a person can hold."""
    if value is None:
        return MISSING
    for unit, name in ((1e9, "billion"), (1e6, "million")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """131.5 as 2 min 12 s."""
    if seconds is None:
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}\u00a0h {minutes:02d}\u00a0min"
    return f"{minutes}\u00a0min {rest:02d}\u00a0s" if minutes else f"{rest}\u00a0s"


def size(count: int) -> str:
    """Bytes as kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def plural(count: int, noun: str) -> str:
    """1 document, 2 documents."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def hashed(digest: str) -> str:
    """A SHA-256 by its first twelve figures, enough to tell one from another."""
    return digest[:12]
