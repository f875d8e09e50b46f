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

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: steepest at 0, ends between 0.7 and 1.2 rather than at 1
TURNS = 5
ROOT_MEAN_SQUARE = 0.2
FUSED = {"qkv.weight": 3}  # matrices of several outputs, equal rows each, that are orthogonalised one by one


@dataclass(frozen=True, kw_only=True)
class Muon:
    """Its settings. `dtype` is what its products are computed in: that of the model's matrices."""

    decay: float = 0.1
    momentum: float = 0.95
    dtype: torch.dtype = torch.bfloat16
    others: AdamW = field(default_factory=AdamW)

    def over(self, masters: Mapping[str, Tensor]) -> "MuonUpdate":
        """The rule at work on these tensors, its momentum still at zero."""
        return MuonUpdate(self, masters)


class MuonUpdate:
    """Momentum of the hidden matrices, and AdamW over the others."""

    def __init__(self, rule: Muon, masters: Mapping[str, Tensor]) -> None:
        self.rule = rule
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
        for name, direction in directions(wanted, self.rule.dtype):
            self.hidden[name].mul_(1 - rate * self.rule.decay).sub_(direction, alpha=rate)

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


def directions(wanted: Mapping[str, Tensor], dtype: torch.dtype) -> Iterable[tuple[str, Tensor]]:
    """Each matrix orthogonalised and scaled, equal shapes together. Shards are gathered, the result is cut again."""
    pieces = {name: pieces_of(name, gathered(w)) for name, w in wanted.items()}
    shapes: defaultdict[torch.Size, list[str]] = defaultdict(list)
    for name, parts in pieces.items():
        shapes[parts.shape[1:]].append(name)
    for shape, names in shapes.items():
        scale = ROOT_MEAN_SQUARE * max(shape) ** 0.5
        together = orthogonal(torch.cat([pieces[name] for name in names]), dtype)
        for name, parts in zip(names, together.split([len(pieces[name]) for name in names]), strict=True):
            direction = parts.float().flatten(0, 1).mul_(scale)
            yield name, as_sharded(direction, wanted[name])


def pieces_of(name: str, matrix: Float[Tensor, "M N"]) -> Float[Tensor, "P R N"]:
    """Queries, keys and values in one matrix are three matrices; any other is one."""
    count = next((count for ending, count in FUSED.items() if name.endswith(ending)), 1)
    return matrix.unflatten(0, (count, -1))


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


def gathered(tensor: Tensor) -> Tensor:
    """The whole of a matrix that may lie in shards on several processes."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor  # pyright: ignore[reportAttributeAccessIssue]


def as_sharded(direction: Tensor, like: Tensor) -> Tensor:
    """Every process has the whole; each keeps the part it keeps of `like`, with nothing sent."""
    if not is_sharded(like):
        return direction
    from torch.distributed.tensor import DTensor, Replicate

    mesh, placements = like.device_mesh, like.placements  # pyright: ignore[reportAttributeAccessIssue]
    whole = DTensor.from_local(direction, mesh, [Replicate()] * mesh.ndim, run_check=False)
    return whole.redistribute(placements=placements)


def is_sharded(tensor: Tensor) -> bool:
    """Whether it is torch's DTensor, whose import takes a second that one process need not pay."""
    return hasattr(tensor, "placements")
