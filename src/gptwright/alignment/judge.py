"""Who says which of two models' held-out answers is better: a judge that fits the rankings, and by name.

Rankings that a rule made are judged by that rule, which no model has seen. People's taste is in no rule: of theirs,
only the reward model has learned anything, and it is no independent judge, for the policy was made to please it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gptwright.text.rule_labeller import RULES

UNNAMED = "people without a name"


@dataclass(frozen=True)
class Judge:
    """`rule` is a name in `RULES`, or None for the reward model. `labellers` made the rankings, with how many each."""

    rule: str | None
    labellers: dict[str, int]
    rewards: bool = False
    """whether the rule gives the rewards too"""

    @staticmethod
    def count(labellers: Iterable[str]) -> dict[str, int]:
        """What a reward model's stage notes of the rankings it used, for `of`."""
        return dict(Counter(labeller or UNNAMED for labeller in labellers))

    @classmethod
    def of(cls, metrics: Mapping[str, Any], rule: str = "") -> "Judge":
        """The judge that fits a reward model, from the final figures of its stage, and else the `rule` that rewards."""
        labellers: dict[str, int] = metrics.get("labellers") or {}
        only = next(iter(labellers)) if len(labellers) == 1 else None
        found = only if only in RULES else rule or None
        return cls(found, labellers, rewards=bool(rule) and found == rule)

    def __str__(self) -> str:
        """As it is said behind "by"."""
        if self.rewards:
            return f"the rule '{self.rule}', which gave the rewards: no independent judge"
        if self.rule:
            return f"the rule '{self.rule}', which made the rankings and which no model has seen"
        people = f"the rankings are by {', '.join(self.labellers)}" if self.labellers else "who ranked is not noted"
        return f"the reward model itself, no independent judge ({people})"
