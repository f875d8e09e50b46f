import pytest
import torch
from torch import nn

from gptwright.training.adamw import AdamW
from gptwright.training.optimizer import Optimizer


def network() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 7))


def backward(model: nn.Module, step: int) -> None:
    ids = torch.randint(7, (8,), generator=torch.Generator().manual_seed(step))
    nn.functional.cross_entropy(model(ids), (ids * 3) % 7).backward()


def test_the_updates_are_those_of_torch() -> None:
    ours, theirs = network(), network()
    optimizer = Optimizer(ours, AdamW(weight_decay=0.1, betas=(0.8, 0.9), epsilon=1e-7))
    groups = [
        {"params": [p for p in theirs.parameters() if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    oracle = torch.optim.AdamW(groups, betas=(0.8, 0.9), eps=1e-7)
    for step in range(6):
        backward(ours, step)
        norm = optimizer.step(0.01 * (step + 1), clip=0.5)
        backward(theirs, step)
        assert norm == pytest.approx(float(nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)), rel=1e-5)
        for group in oracle.param_groups:
            group["lr"] = 0.01 * (step + 1)
        oracle.step()
        oracle.zero_grad()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-5)


def test_only_matrices_decay() -> None:
    masters = dict(network().named_parameters())
    update = AdamW(weight_decay=0.5).over(masters)
    decayed = {id(p) for p in update.adam.param_groups[0]["params"]}
    assert [name for name, p in masters.items() if id(p) in decayed] == ["0.weight", "1.weight", "3.weight"]


def test_it_keeps_its_moments_by_name() -> None:
    model = network()
    update = AdamW().over(dict(model.named_parameters()))
    assert update.tensors() == {}, "before the first step there is nothing to keep"
    backward(model, 0)
    update.step(0.1)
    names = [name for name, _ in model.named_parameters()]
    assert sorted(update.tensors()) == sorted(f"{key}.{n}" for key in ("step", "exp_avg", "exp_avg_sq") for n in names)
