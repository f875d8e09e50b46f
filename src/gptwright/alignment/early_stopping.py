"""Over-optimisation seen while it happens: score, gold and KL of held-out prompts, and the update where they were best.

The score goes on rising where what it stands for falls (Gao et al. 2023). Where a rule judges, it is the gold.
"""

from dataclasses import dataclass
from math import inf
from typing import Any

from gptwright.alignment.rollout_worker import ScoredRollouts
from gptwright.objectives.ppo import kl_estimates
from gptwright.training.kept_weights import KeptWeights

PATIENCE = 3  # evaluations in a row without a new best


@dataclass(frozen=True, kw_only=True)
class HeldoutWatch:
    """Looks at the held-out prompts after every so many updates; keeps the best weights in `kept` where it is given."""

    heldout: ScoredRollouts
    every: int
    """updates between two looks; 0: none"""
    kl_target: float
    """nats an answer beyond which a score counts for nothing, where there is no gold"""
    state: dict[str, Any]
    """where the peak is noted, saved with the weights"""
    kept: KeptWeights | None = None

    def metrics(self, update: int) -> dict[str, float]:
        """What is recorded of this update; nothing where it is not looked at."""
        if not self.every or update % self.every:
            return {}
        scored = self.heldout.batch(0)
        kl, _ = kl_estimates(scored.rollout.logprobs, scored.reference, scored.rollout.response_mask)
        score = float(scored.scores.mean())
        gold = None if scored.gold is None else float(scored.gold.mean())
        self._note(update, gold if gold is not None else score if kl <= self.kl_target else -inf)
        found = {"heldout_score": score, "heldout_kl_nats": kl}
        return found if gold is None else found | {"heldout_gold": gold}

    @property
    def peak(self) -> dict[str, float]:
        """The best update so far and its gold, or its score where nothing is the gold; nothing before the first."""
        return {f"peak_{name}": value for name, value in self.state.get("peak", {}).items()}

    @property
    def over(self) -> bool:
        """Whether the best is to be kept and none has come for long."""
        return self.kept is not None and self.state.get("looks_since_peak", 0) >= PATIENCE

    def _note(self, update: int, value: float) -> None:
        if value > self.state.get("peak", {}).get("value", -inf):
            self.state.update(peak={"update": update, "value": value}, looks_since_peak=0)
            if self.kept:
                self.kept.keep_best()
        else:
            self.state["looks_since_peak"] = self.state.get("looks_since_peak", 0) + 1
