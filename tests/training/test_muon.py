"""Muon against torch's own, against the singular value decomposition, and on every family's parameters."""

import pytest
import torch
from torch import nn

from gptwright.layers.linear import fused_matrices
from gptwright.models.catalogue import FAMILIES
from gptwright.training.adamw import AdamW
from gptwright.training.muon import Muon, is_hidden_matrix, orthogonal
from gptwright.training.optimizer import Optimizer

NANOS = {name: next(c for n, c in family.presets.items() if n.endswith("-nano")) for name, family in FAMILIES.items()}

ONE = torch.ones(1)


class Blocks(nn.Module):
    """Matrices of all shapes, two of them equal, and what is no hidden matrix."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embed = nn.Embedding(9, 8)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 8)) for _ in range(2))
        self.head = nn.Linear(8, 5)


def give_gradients(model: nn.Module, step: int) -> None:
    random = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=random)


def test_the_updates_are_those_of_torch() -> None:
    ours, theirs = Blocks(), Blocks()
    optimizer = Optimizer(ours, Muon(weight_decay=0.2, momentum=0.9, others=AdamW(weight_decay=0.3)))
    hidden = {name: p for name, p in theirs.named_parameters() if p.dim() == 2 and "blocks" in name}
    rest = {name: p for name, p in theirs.named_parameters() if name not in hidden}
    muon = torch.optim.Muon(hidden.values(), lr=0.0, weight_decay=0.2, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW([
        {"params": [p for p in rest.values() if p.dim() == 2], "weight_decay": 0.3},
        {"params": [p for p in rest.values() if p.dim() == 1], "weight_decay": 0.0},
    ], betas=(0.9, 0.95))  # fmt: skip
    for step in range(5):
        give_gradients(ours, step)
        optimizer.step(0.01 * (step + 1), clip=1e9)
        give_gradients(theirs, step)
        for group in [*muon.param_groups, *adam.param_groups]:
            group["lr"] = 0.01 * (step + 1)
        muon.step()
        adam.step()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        # Theirs multiplies bf16 matrices one by one, ours equal ones together: the last bits of a product differ.
        torch.testing.assert_close(mine, other, atol=2e-3 if name in hidden else 1e-6, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 8, 40), (3, 40, 8), (2, 96, 64)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    u, s, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    s = s.clamp(min=0.05 * float(s.max()))
    made = orthogonal((u * s[:, None]) @ v, dtype).float()
    assert made.shape == shape
    values = torch.linalg.svdvals(made)
    assert float(values.min()) > 0.6 and float(values.max()) < 1.3
    turned = u.mT @ made @ v.mT
    off = turned - torch.diag_embed(turned.diagonal(dim1=1, dim2=2))
    assert float(off.abs().max()) < (1e-4 if dtype == torch.float32 else 0.06), "same singular vectors as the gradient"


def test_nothing_in_nothing_out() -> None:
    assert float(orthogonal(torch.zeros(2, 4, 6), torch.float32).abs().max()) == 0


def test_a_step_has_adams_root_mean_square() -> None:
    for shape in ((64, 64), (64, 256), (256, 64)):
        weight = nn.Parameter(torch.zeros(shape))
        update = Muon(weight_decay=0.0, dtype=torch.float32).over(
            {"blocks.0.weight": weight, "norm.weight": nn.Parameter(ONE)}
        )
        weight.grad = torch.randn(shape)
        update.step(1.0)
        assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.2, rel=0.2)


def test_queries_keys_and_values_are_three_matrices() -> None:
    torch.manual_seed(0)
    fused = nn.Parameter(torch.zeros(24, 8))
    apart = {f"blocks.0.{name}.weight": nn.Parameter(torch.zeros(8, 8)) for name in ("query", "key", "value")}
    fused.grad = torch.randn(24, 8)
    for part, gradient in zip(apart.values(), fused.grad.chunk(3), strict=True):
        part.grad = gradient.clone()
    name = "blocks.0.attention.qkv.weight"
    for parameters in ({name: fused}, apart):
        masters = parameters | {"norm.weight": nn.Parameter(ONE)}
        Muon(dtype=torch.float32).over(masters, fused={name: 3}).step(0.1)
    torch.testing.assert_close(fused.detach(), torch.cat(list(apart.values())).detach(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_only_queries_keys_and_values_are_fused(name: str) -> None:
    with torch.device("meta"):
        model = FAMILIES[name].model(NANOS[name])
    expected = {name: 3 for name, _ in model.named_parameters() if name.endswith("qkv.weight")}
    assert fused_matrices(model) == expected


@pytest.mark.parametrize("name", FAMILIES)
def test_hidden_matrices_are_the_linear_layers_of_blocks(name: str) -> None:
    with torch.device("meta"):
        model = FAMILIES[name].model(NANOS[name])
    hidden = {n for n, p in model.named_parameters() if is_hidden_matrix(n, p)}
    in_blocks = {
        f"{n}.weight"
        for n, part in model.named_modules()
        if isinstance(part, nn.Linear) and any(word.isdigit() for word in n.split("."))
    }
    assert hidden == in_blocks and len(hidden) >= 16
    embeddings = {f"{n}.weight" for n, part in model.named_modules() if isinstance(part, nn.Embedding)}
    assert embeddings and not hidden & embeddings
