"""A matrix as int8: no number is further away than half a step of its row."""

import torch

from gptwright.models.formats.int8 import dequantized, quantized, rounded
from gptwright.models.gpt2 import GPT2


def test_by_hand() -> None:
    matrix = torch.tensor([[1.27, -0.634, 0.0], [0.0, 0.0, 0.0]])
    values, scales = quantized(matrix)
    assert values.tolist() == [[127, -63, 0], [0, 0, 0]]
    torch.testing.assert_close(scales, torch.tensor([0.01, 0.0]))
    torch.testing.assert_close(dequantized(quantized(matrix)), torch.tensor([[1.27, -0.63, 0.0], [0.0, 0.0, 0.0]]))


def test_no_number_moves_more_than_half_a_step() -> None:
    matrix = torch.randn(50, 30) * torch.logspace(-6, 3, 50)[:, None]
    away = (dequantized(quantized(matrix)) - matrix).abs()
    assert (away <= matrix.abs().amax(1, keepdim=True) / 254 * 1.001).all()


def test_a_rounded_network_is_its_own_rounding_and_the_first_is_as_it_was(network: GPT2) -> None:
    before = network.embed.weight.clone()
    once = rounded(network)
    assert torch.equal(network.embed.weight, before) and not torch.equal(once.embed.weight, before)
    assert torch.equal(once.norm.weight, network.norm.weight)
    torch.testing.assert_close(rounded(once).embed.weight, once.embed.weight)
