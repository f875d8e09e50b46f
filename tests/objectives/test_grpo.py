from math import log

import numpy as np
import pytest
import torch

from gptwright.objectives.grpo import group_advantages, grpo_loss

MASK = torch.tensor([[True, True, True], [True, False, False], [True, True, False], [True, True, True]])


def test_advantages_of_a_group_have_mean_0_and_spread_1() -> None:
    found = group_advantages(torch.tensor([1.0, 2.0, 3.0, 10.0, 10.0, 40.0]), samples=3)
    torch.testing.assert_close(found[:3], torch.tensor([-1.0, 0.0, 1.0]), atol=1e-3, rtol=0)
    assert found.view(2, 3).mean(1).abs().max() < 1e-6
    assert found.view(2, 3).std(1).tolist() == pytest.approx([1, 1], abs=1e-3)


def test_equal_scores_say_nothing() -> None:
    assert group_advantages(torch.tensor([0.3, 0.3, 0.3, 0.1, 0.2, 0.3]), samples=3)[:3].tolist() == [0, 0, 0]


def test_it_equals_loops_over_the_tokens() -> None:
    new, old, reference = (-torch.rand(4, 3) * 2 for _ in range(3))
    advantage = torch.randn(4)
    n, o, r, a = (x.double().numpy() for x in (new, old, reference, advantage))
    answers: list[float] = []
    for row, length in enumerate(MASK.sum(1).tolist()):
        tokens: list[float] = []
        for t in range(length):
            ratio = np.exp(n[row, t] - o[row, t])
            gain = min(ratio * a[row], np.clip(ratio, 0.8, 1.2) * a[row])
            k3 = np.exp(r[row, t] - n[row, t]) - (r[row, t] - n[row, t]) - 1
            tokens.append(-gain + 0.04 * k3)
        answers.append(sum(tokens) / length)
    found = grpo_loss(new, old, reference, advantage, MASK, beta=0.04)
    assert found.item() == pytest.approx(sum(answers) / 4, abs=1e-6)
    assert grpo_loss(new, old, reference, advantage, MASK, beta=0.04, count=8).item() == pytest.approx(
        sum(answers) / 8, abs=1e-6
    )


def test_at_the_start_the_gradient_is_minus_the_advantage_of_every_token() -> None:
    new = torch.zeros(4, 3, requires_grad=True)
    advantage = torch.tensor([1.0, -1.0, 2.0, 0.0])
    grpo_loss(new, torch.zeros(4, 3), torch.zeros(4, 3), advantage, MASK, beta=0.5).backward()
    expected = -advantage[:, None] * MASK / MASK.sum(1, keepdim=True) / 4
    assert new.grad is not None
    torch.testing.assert_close(new.grad, expected)


def test_a_policy_that_has_strayed_is_drawn_back_without_any_advantage() -> None:
    new = torch.full((1, 1), log(0.5), requires_grad=True)
    old, reference = new.detach(), torch.full((1, 1), log(0.25))
    grpo_loss(new, old, reference, torch.zeros(1), MASK[1:2, :1], beta=1.0).backward()
    assert new.grad is not None and new.grad.item() == pytest.approx(1 - 0.25 / 0.5, abs=1e-6)


def test_padding_changes_nothing_and_gets_no_gradient() -> None:
    new = torch.randn(4, 3, requires_grad=True)
    rest = torch.where(MASK, 0.0, 50.0)
    args = torch.randn(4), MASK
    loss = grpo_loss(new + rest, new.detach() - rest, new.detach(), *args, beta=0.1)
    torch.testing.assert_close(loss, grpo_loss(new, new.detach(), new.detach(), *args, beta=0.1))
    loss.backward()
    assert new.grad is not None and not new.grad[~MASK].any()
