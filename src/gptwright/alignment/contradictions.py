"""Rankings that contradict each other: pairs that were judged both ways, and preferences that run in a circle."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from gptwright.alignment.labellers import votes
from gptwright.store.ranking_lines import Ranking


class Contradictions(NamedTuple):
    """Pairs of answers to a prompt."""

    pairs: int
    """that were judged, neither as a tie"""
    conflicts: int
    """of them, those that were judged both ways"""
    undecided: int
    """of those, how many have no majority"""
    circles: int
    """prompts of which the majorities say A before B, B before C and C before A"""

    def __str__(self) -> str:
        return (f"{self.conflicts:,} of {self.pairs:,} pairs were judged both ways ({self.undecided:,} as often one as "
                f"the other), and of {self.circles:,} prompts the preferences run in a circle")  # fmt: skip


def contradictions(rankings: Sequence[Ranking]) -> Contradictions:
    """Prompts and answers are the same where their texts are."""
    better: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    conflicts = undecided = 0
    judged = votes(rankings)
    for (prompt, one, other), said in judged.items():
        count = Counter(first for _, first in said)
        conflicts += len(count) == 2
        undecided += count[True] == count[False]
        if count[True] != count[False]:
            best, worst = (one, other) if count[True] > count[False] else (other, one)
            better[prompt][worst].add(best)
    return Contradictions(len(judged), conflicts, undecided, sum(_is_circle(graph) for graph in better.values()))


def _is_circle(better: dict[str, set[str]]) -> bool:
    try:
        TopologicalSorter(better).prepare()
    except CycleError:
        return True
    return False
