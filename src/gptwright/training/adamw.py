"""AdamW (Loshchilov & Hutter 2019): the rule of the papers, and for what is no hidden matrix the rule beside Muon."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

KEYS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Its settings. Only matrices decay."""

    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8

    def over(self, masters: Mapping[str, Tensor], *_: object) -> "AdamWUpdate":
        """The rule at work on these tensors, its moments still to come."""
        return AdamWUpdate(self, masters)


class AdamWUpdate:
    """torch's fused AdamW. Its moments are plain tensors with names: no pickle in checkpoints."""

    def __init__(self, rule: AdamW, masters: Mapping[str, Tensor]) -> None:
        self.masters = masters
        matrices = [m for m in masters.values() if m.dim() > 1]
        vectors = [m for m in masters.values() if m.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": rule.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=rule.betas, eps=rule.epsilon, fused=True)

    def step(self, rate: float) -> None:
        """Changes the tensors by their gradients."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()

    def tensors(self) -> dict[str, Tensor]:
        """Both moments and the count of steps, of all that had a gradient."""
        return {
            f"{key}.{name}": value
            for name, master in self.masters.items()
            for key, value in self.adam.state.get(master, {}).items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` gave."""
        for name, master in self.masters.items():
            found = {
                key: tensors[f"{key}.{name}"].to(master.device, copy=True) for key in KEYS if f"{key}.{name}" in tensors
            }
            if found:
                self.adam.state[master] = found
