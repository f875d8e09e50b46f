"""Muon (Jordan et al. 2024): a hidden matrix moves by its momentum with all singular values made about one.

Embeddings, output matrix, norms and biases take AdamW. As in Moonlight (Liu et al. 2025) a step is scaled to the root
mean square of AdamW's, 0.2, so that one rate and one decay serve both.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.training.adamw import AdamW
from gptwright.training.distributed.layout import ALL, Layout

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: steepest at 0, ends between 0.7 and 1.2 rather than at 1
TURNS = 5
ROOT_MEAN_SQUARE = 0.2
SINGLE: Mapping[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class Muon:
    """Its settings. `dtype` is what its products are computed in: that of the model's matrices."""

    weight_decay: float = 0.1
    momentum: float = 0.95
    dtype: torch.dtype = torch.bfloat16
    others: AdamW = field(default_factory=AdamW)

    def over(
        self, masters: Mapping[str, Tensor], layout: Layout = ALL, fused: Mapping[str, int] = SINGLE
    ) -> "MuonUpdate":
        """The rule at work on these tensors, its momentum still at zero. Each of the matrices that are `fused` in one
        is orthogonalised by itself."""
        return MuonUpdate(self, masters, layout, fused)


class MuonUpdate:
    """Momentum of the hidden matrices, and AdamW over the others."""

    def __init__(self, rule: Muon, masters: Mapping[str, Tensor], layout: Layout, fused: Mapping[str, int]) -> None:
        self.rule, self.layout, self.fused = rule, layout, fused
        self.hidden = {name: master for name, master in masters.items() if is_hidden_matrix(name, master)}
        self.momentum = {name: torch.zeros_like(master) for name, master in self.hidden.items()}
        self.others = rule.others.over({name: m for name, m in masters.items() if name not in self.hidden})

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Changes the tensors by their gradients."""
        self.others.step(rate)
        wanted: dict[str, Tensor] = {}
        for name, master in self.hidden.items():
            if (gradient := master.grad) is not None:
                momentum = self.momentum[name].lerp_(gradient, 1 - self.rule.momentum)
                wanted[name] = gradient.lerp(momentum, self.rule.momentum)  # Nesterov
        for name, direction in directions(wanted, self.rule.dtype, self.layout, self.fused):
            self.hidden[name].mul_(1 - rate * self.rule.weight_decay).sub_(direction, alpha=rate)

    def tensors(self) -> dict[str, Tensor]:
        """The momentum of every hidden matrix, and what AdamW keeps of the others."""
        return {f"momentum.{name}": value for name, value in self.momentum.items()} | self.others.tensors()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` gave."""
        for name, momentum in self.momentum.items():
            momentum.copy_(tensors[f"momentum.{name}"])
        self.others.restore(tensors)


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """A matrix inside a list of blocks: `blocks.3.mlp.up.weight`."""
    return parameter.dim() == 2 and any(part.isdigit() for part in name.split("."))


def directions(
    wanted: Mapping[str, Tensor], dtype: torch.dtype, layout: Layout, fused: Mapping[str, int]
) -> Iterable[tuple[str, Tensor]]:
    """Each matrix orthogonalised and scaled, equal shapes together.

    One that several processes hold in parts is gathered in each of them, and of the result each keeps its part.
    """
    shapes: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, part in wanted.items():
        shapes[layout.shapes.get(name, part.shape)].append(name)
    for names in shapes.values():
        matrices = [layout.whole(name, wanted[name]).unflatten(0, (fused.get(name, 1), -1)) for name in names]
        together = orthogonal(torch.cat(matrices), dtype)
        scale = ROOT_MEAN_SQUARE * max(together.shape[1:]) ** 0.5
        for name, parts in zip(names, together.split([len(matrix) for matrix in matrices]), strict=True):
            yield name, layout.part(name, parts.float().flatten(0, 1).mul_(scale))


def orthogonal(matrices: Float[Tensor, "P M N"], dtype: torch.dtype) -> Float[Tensor, "P M N"]:
    """U Vᵀ of U S Vᵀ, roughly, by Newton–Schulz: singular values above a hundredth of the norm come near one."""
    x = matrices.to(dtype)
    if tall := x.shape[1] > x.shape[2]:
        x = x.mT
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(TURNS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
