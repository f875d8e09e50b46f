from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from gptwright.objectives.dpo import dpo_loss, implicit_rewards
from gptwright.objectives.ranking import ranking_loss


def by_loops(rewards: Tensor, ranks: Tensor, smoothing: float) -> float:
    """Every pair of every prompt spelled out, in float64."""
    r, places = rewards.double().numpy(), ranks.numpy()
    prompts: list[float] = []
    for row in range(len(r)):
        pairs: list[float] = []
        for i, better in enumerate(places[row]):
            for j, worse in enumerate(places[row]):
                if 1 <= better < worse:
                    p = 1 / (1 + np.exp(r[row, j] - r[row, i]))
                    pairs.append(-(1 - smoothing) * np.log(p) - smoothing * np.log(1 - p))
        if pairs:
            prompts.append(sum(pairs) / len(pairs))
    return sum(prompts) / len(prompts)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_it_equals_loops_over_the_pairs(smoothing: float) -> None:
    rewards, ranks = torch.randn(6, 5), torch.randint(0, 4, (6, 5))
    ranks[0] = torch.tensor([2, 2, 2, 0, 0])  # all tied
    found = dpo_loss(rewards, ranks, smoothing)
    assert found.item() == pytest.approx(by_loops(rewards, ranks, smoothing), abs=1e-6)


def test_by_hand() -> None:
    policy, reference = torch.tensor([[-2.0, -3.0]]), torch.tensor([[-3.0, -1.0]])
    rewards = implicit_rewards(policy, reference, beta=0.5)
    assert rewards.tolist() == [[0.5, -1.0]]
    assert dpo_loss(rewards, torch.tensor([[1, 2]])).item() == pytest.approx(log(1 + np.exp(-1.5)), abs=1e-6)
    assert dpo_loss(rewards * 0, torch.tensor([[1, 2]]), 0.2).item() == pytest.approx(log(2), abs=1e-6)


def test_without_smoothing_it_is_a_reward_models_loss() -> None:
    rewards, ranks = torch.randn(4, 3), torch.tensor([[1, 2, 3], [2, 1, 0], [1, 1, 2], [1, 1, 1]])
    torch.testing.assert_close(dpo_loss(rewards, ranks), ranking_loss(rewards, ranks))


def test_smoothing_says_where_to_stop() -> None:
    """Its least loss lies where σ(margin) = 1 - ε."""
    margin = torch.tensor(log(0.8 / 0.2))
    rewards = torch.stack([margin, torch.tensor(0.0)])[None].requires_grad_(True)
    dpo_loss(rewards, torch.tensor([[1, 2]]), 0.2).backward()
    assert rewards.grad is not None and rewards.grad.abs().max() < 1e-6


def test_prompts_without_a_pair_carry_no_loss() -> None:
    assert dpo_loss(torch.randn(2, 3), torch.tensor([[1, 1, 1], [2, 0, 0]]), 0.1).item() == 0
