"""Weights kept beside those that learn: their moving average (EMA), and the best that an evaluation found.

They are saved with a checkpoint as what the rule keeps, so that a run goes on with them where it stopped.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gptwright.training.distributed.layout import Layout
from gptwright.training.optimizer import OptimizerConfig, Update


@dataclass(frozen=True)
class KeepWeights:
    """Settings: the rule that changes the weights, and the average's decay a step; 0: no average."""

    rule: OptimizerConfig
    decay: float = 0.0

    def over(self, masters: Mapping[str, Tensor], layout: Layout, fused: Mapping[str, int]) -> "KeptWeights":
        """The rule at work on these tensors, with their average, which begins as they are."""
        return KeptWeights(self.rule.over(masters, layout, fused), masters, self.decay)


class KeptWeights:
    """The rule at work; after each step the average moves by 1 - decay of the way to the weights."""

    def __init__(self, rule: Update, masters: Mapping[str, Tensor], decay: float) -> None:
        self.rule, self.masters, self.decay = rule, masters, decay
        self.average = _copied(masters) if decay else {}
        self.best: dict[str, Tensor] = {}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Changes the weights, then their average."""
        self.rule.step(rate)
        for name, average in self.average.items():
            average.lerp_(self.masters[name], 1 - self.decay)

    def keep_best(self) -> None:
        """Those of now are the best so far: the average where there is one."""
        self.best = _copied(self.average or self.masters)

    @torch.no_grad()
    def put_back(self) -> None:
        """The weights become the best, or else the average, or stay."""
        for name, kept in (self.best or self.average).items():
            self.masters[name].copy_(kept)

    def tensors(self) -> dict[str, Tensor]:
        """What the rule keeps, and both."""
        kept = {"average": self.average, "best": self.best}
        named = {f"{kind}.{name}": tensor for kind, all_of in kept.items() for name, tensor in all_of.items()}
        return self.rule.tensors() | named

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` gave."""
        self.rule.restore(tensors)
        found = {kind: {name: tensors[f"{kind}.{name}"].to(master.device, copy=True)
                        for name, master in self.masters.items() if f"{kind}.{name}" in tensors}
                 for kind in ("average", "best")}  # fmt: skip
        self.average, self.best = found["average"], found["best"]


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
