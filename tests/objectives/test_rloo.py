import numpy as np
import pytest
import torch

from gptwright.objectives.rloo import leave_one_out, penalised, rloo_loss

MASK = torch.tensor([[True, True, True], [True, False, False], [True, True, False], [True, True, True]])


def test_the_baseline_is_the_mean_of_the_others() -> None:
    found = leave_one_out(torch.tensor([1.0, 2.0, 6.0, 5.0, 5.0, 5.0]), samples=3)
    assert found.tolist() == [1 - 4, 2 - 3.5, 6 - 1.5, 0, 0, 0]


def test_straying_costs_as_much_as_the_answer_has_become_likelier() -> None:
    policy, reference = torch.full((4, 3), -1.0), torch.full((4, 3), -1.5)
    found = penalised(torch.ones(4), policy, reference, MASK, beta=0.2)
    torch.testing.assert_close(found, 1 - 0.2 * 0.5 * torch.tensor([3.0, 1.0, 2.0, 3.0]))


def test_it_equals_loops_over_the_answers() -> None:
    new, advantage = -torch.rand(4, 3), torch.randn(4)
    old = new + 0.3 * torch.randn(4, 3)
    n, o, a = (x.double().numpy() for x in (new, old, advantage))
    answers: list[float] = []
    for row, length in enumerate(MASK.sum(1).tolist()):
        ratio = np.exp(sum(n[row, t] - o[row, t] for t in range(length)))
        answers.append(-min(ratio * a[row], np.clip(ratio, 0.8, 1.2) * a[row]))
    assert rloo_loss(new, old, advantage, MASK).item() == pytest.approx(sum(answers) / 4, abs=1e-6)
    assert rloo_loss(new, old, advantage, MASK, count=8).item() == pytest.approx(sum(answers) / 8, abs=1e-6)


def test_at_the_start_the_gradient_is_that_of_reinforce() -> None:
    new, advantage = torch.randn(4, 3, requires_grad=True), torch.randn(4)
    rloo_loss(new, new.detach(), advantage, MASK).backward()
    assert new.grad is not None
    torch.testing.assert_close(new.grad, -advantage[:, None] * MASK / 4)


def test_padding_changes_nothing() -> None:
    new, old, advantage = torch.randn(4, 3), torch.randn(4, 3), torch.randn(4)
    rest = torch.where(MASK, 0.0, 50.0)
    torch.testing.assert_close(rloo_loss(new + rest, old - rest, advantage, MASK), rloo_loss(new, old, advantage, MASK))
