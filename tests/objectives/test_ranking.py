from math import exp, log

import pytest
import torch

from gptwright.objectives.ranking import better_pairs, ranking_loss, right_pairs


def nats(margin: float) -> float:
    return log(1 + exp(-margin))


def test_pairs_by_hand() -> None:
    assert better_pairs(torch.tensor([2, 1, 2, 0])).nonzero().tolist() == [[1, 0], [1, 2]]


def test_the_loss_by_hand() -> None:
    rewards = torch.tensor([[1.0, 0.0, -2.0], [0.5, 0.5, 9.0]])
    ranks = torch.tensor([[1, 2, 3], [2, 1, 0]])  # three pairs; one pair and padding
    first = (nats(1) + nats(3) + nats(2)) / 3
    assert ranking_loss(rewards, ranks).item() == pytest.approx((first + log(2)) / 2, abs=1e-6)


def test_ties_carry_no_loss_and_do_not_dilute() -> None:
    rewards = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    assert ranking_loss(rewards, torch.tensor([[1, 2], [1, 1]])).item() == pytest.approx(nats(1), abs=1e-6)
    assert ranking_loss(rewards, torch.tensor([[1, 1], [1, 1]])).item() == 0


def test_order_and_padding_change_nothing() -> None:
    rewards, ranks = torch.randn(4, 5), torch.randint(1, 4, (4, 5))
    moved = torch.randperm(5)
    loss = ranking_loss(rewards, ranks)
    torch.testing.assert_close(ranking_loss(rewards[:, moved], ranks[:, moved]), loss)
    torch.testing.assert_close(ranking_loss(rewards + 7, ranks), loss, atol=1e-5, rtol=1e-5)
    wide = torch.cat([rewards, torch.full((4, 2), 1e6)], 1)
    padded = torch.cat([ranks, torch.zeros(4, 2, dtype=torch.long)], 1)
    torch.testing.assert_close(ranking_loss(wide, padded), loss)
    assert all(map(torch.equal, right_pairs(wide, padded), right_pairs(rewards, ranks)))


def test_padding_gets_no_gradient() -> None:
    rewards = torch.tensor([[1.0, 0.0, 5.0]], requires_grad=True)
    ranking_loss(rewards, torch.tensor([[2, 1, 0]])).backward()
    assert rewards.grad is not None
    assert rewards.grad[0, 2] == 0
    assert rewards.grad[0, 0] == pytest.approx(1 / (1 + exp(-1)), abs=1e-6), "σ(r_worse - r_better), downwards"


def test_right_pairs_by_hand() -> None:
    rewards = torch.tensor([[3.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    ranks = torch.tensor([[1, 2, 3], [1, 2, 2]])  # right, right, equal; wrong, equal
    assert [part.tolist() for part in right_pairs(rewards, ranks)] == [[2.5, 0.5], [3, 2]]
    assert [part.tolist() for part in right_pairs(rewards, torch.ones(2, 3, dtype=torch.long))] == [[0, 0], [0, 0]]
