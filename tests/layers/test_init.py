import torch
from torch import nn

from gptwright.layers.init import normal_weights
from gptwright.layers.linear import marked_linear


class Part(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.norm = nn.Linear(200, 300), nn.LayerNorm(200)
        self.out = marked_linear(300, 200, residual=True)


def test_matrices_biases_gains() -> None:
    part = Part()
    normal_weights(part, 1, 0.5, residual=0.1)
    assert abs(float(part.up.weight.detach().std()) - 0.5) < 0.01
    assert abs(float(part.out.weight.detach().std()) - 0.1) < 0.002
    assert part.norm.weight.eq(1).all()
    assert all(bias.eq(0).all() for bias in (part.up.bias, part.out.bias, part.norm.bias))


def test_without_a_residual_spread_all_matrices_are_alike() -> None:
    part = Part()
    normal_weights(part, 1, 0.5)
    assert abs(float(part.out.weight.detach().std()) - 0.5) < 0.01


def test_the_seed_decides() -> None:
    parts = [Part() for _ in range(3)]
    for part, seed in zip(parts, (1, 1, 2), strict=True):
        normal_weights(part, seed, 0.02)
    assert torch.equal(parts[0].up.weight, parts[1].up.weight)
    assert not torch.equal(parts[0].up.weight, parts[2].up.weight)
