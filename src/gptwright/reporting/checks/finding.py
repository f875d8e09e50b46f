"""A finding: how one thing about a run is, with the numbers it rests on and what to try next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["healthy", "watch", "ill"]
ORDER: dict[Level, int] = {"ill": 0, "watch": 1, "healthy": 2}


@dataclass(frozen=True)
class Finding:
    """`evidence` holds the numbers, `advice` the next thing to try (empty when nothing is needed)."""

    level: Level
    title: str
    evidence: str
    advice: str = ""
    fault: str = ""
    """its heading in docs/faults.md, where it is one of the known faults of alignment"""

    @property
    def line(self) -> str:
        """How grave, what, by which numbers; what to do, and the fault's name."""
        advice = f"  → {self.advice}" if self.advice and self.level != "healthy" else ""
        fault = f" (docs/faults.md, {self.fault})" if self.fault else ""
        return f"  {self.level:7}  {self.title}: {self.evidence}{advice}{fault}"


def at_least(value: float, *, healthy: float, watch: float) -> Level:
    """For a metric that should be high: healthy from `healthy` on, ill below `watch`."""
    return "healthy" if value >= healthy else "watch" if value >= watch else "ill"


def at_most(value: float, *, healthy: float, watch: float) -> Level:
    """For a metric that should be low: healthy up to `healthy`, ill above `watch`."""
    return "healthy" if value <= healthy else "watch" if value <= watch else "ill"


def graded(
    value: float, titles: Mapping[Level, str], evidence: str, advice: str, *, healthy: float, watch: float
) -> Finding:
    """A finding on a metric that should be high, by its level's title; healthy ones need no advice."""
    level = at_least(value, healthy=healthy, watch=watch)
    return Finding(level, titles[level], evidence, "" if level == "healthy" else advice)


def tally(findings: Sequence[Finding]) -> str:
    """1 ill, 2 to watch, 12 healthy."""
    counts = Counter(finding.level for finding in findings)
    words: dict[Level, str] = {"ill": "ill", "watch": "to watch", "healthy": "healthy"}
    return ", ".join(f"{counts[level]} {words[level]}" for level in ORDER if counts[level]) or "nothing to judge yet"
