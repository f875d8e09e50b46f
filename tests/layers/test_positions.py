import math

import torch

from gptwright.layers.positions import Angles, RopeScaling, apply_rotary, rotary_angles, sinusoids


def test_sinusoids_by_hand() -> None:
    found = sinusoids(torch.tensor([0, 3]), 4)
    slow = 3 / 100  # 3 / 10,000^(2/4)
    torch.testing.assert_close(found[0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    torch.testing.assert_close(found[1], torch.tensor([math.sin(3), math.sin(slow), math.cos(3), math.cos(slow)]))


def test_a_turn_by_hand() -> None:
    angles = rotary_angles(torch.tensor([[0, 1]]), 2, 10_000.0)
    found = apply_rotary(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]), angles)
    torch.testing.assert_close(found[0, 0], torch.tensor([[1.0, 0.0], [math.cos(1), math.sin(1)]]))


def test_products_of_turned_vectors_depend_on_distance_only() -> None:
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def product(at_q: int, at_k: int) -> float:
        one, two = (rotary_angles(torch.tensor([[at]]), 8, 100.0) for at in (at_q, at_k))
        return float((apply_rotary(q, one) * apply_rotary(k, two)).sum())

    assert math.isclose(product(7, 3), product(104, 100), rel_tol=1e-3, abs_tol=1e-4)
    assert not math.isclose(product(7, 3), product(7, 4), rel_tol=1e-3)


def test_a_turn_keeps_lengths_and_formats() -> None:
    x = torch.randn(2, 3, 5, 8)
    found = apply_rotary(x, rotary_angles(torch.arange(5)[None], 8, 500_000.0))
    torch.testing.assert_close(found.norm(dim=-1), x.norm(dim=-1))
    low: Angles = rotary_angles(torch.arange(5)[None], 8, 500_000.0)
    assert apply_rotary(x.bfloat16(), low).dtype == torch.bfloat16


def test_scaling_keeps_fast_wavelengths_and_stretches_slow_ones() -> None:
    scaling = RopeScaling(factor=8.0, low=1.0, high=4.0, original_context=100)
    turns = torch.tensor([5.0, 4.0, 2.5, 1.0, 0.5])  # in the original context
    rates = turns * 2 * math.pi / 100
    kept = torch.tensor([1.0, 1.0, 0.5 + 0.5 / 8, 1 / 8, 1 / 8])
    torch.testing.assert_close(scaling.of(rates), rates * kept)
