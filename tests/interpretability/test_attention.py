"""Heads and layers summed up."""

import torch

from gptwright.interpretability.attention import mean_of_heads, rollout


def test_rollout_by_hand() -> None:
    first = torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [1.0, 0.0]]])
    second = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    assert torch.equal(mean_of_heads([first, second])[0], torch.tensor([[1.0, 0.0], [0.75, 0.25]]))
    # (I + A) / 2 of the first layer has rows (1, 0) and (0.375, 0.625); the second layer only keeps
    torch.testing.assert_close(rollout([first, second]), torch.tensor([[1.0, 0.0], [0.375, 0.625]]))


def test_what_a_row_lacks_a_position_keeps() -> None:
    """As patches of an image take from a class token that is not there."""
    layer = torch.tensor([[[0.0, 0.0], [0.2, 0.4]]])
    torch.testing.assert_close(rollout([layer]), torch.tensor([[1.0, 0.0], [0.1, 0.9]]))


def test_rows_add_up_to_1_and_stay_causal() -> None:
    weights = [torch.randn(3, 9, 9).masked_fill(~torch.ones(9, 9).tril().bool(), -torch.inf).softmax(-1)] * 4
    rolled = rollout(weights)
    torch.testing.assert_close(rolled.sum(-1), torch.ones(9))
    assert torch.equal(rolled, rolled.tril())
