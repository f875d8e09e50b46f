import warnings
from collections.abc import Callable
from math import log
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gptwright.objectives import ppo

SAID = torch.tensor([[True, True, True, True], [True, True, False, False], [True, False, False, False]])


def loop(rewards: Tensor, values: Tensor, gamma: float, lam: float) -> np.ndarray:
    """Advantages as the papers write them: every sum spelled out, in float64."""
    r, v, lengths = rewards.double().numpy(), values.double().numpy(), SAID.sum(1).tolist()
    result = np.zeros(SAID.shape)
    for row, length in enumerate(lengths):
        for t in range(length):
            for later in range(t, length):
                following = v[row, later + 1] if later + 1 < length else 0.0
                result[row, t] += (gamma * lam) ** (later - t) * (r[row, later] + gamma * following - v[row, later])
    return result


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.99, 0.0)])
def test_advantages_equal_a_double_loop(gamma: float, lam: float) -> None:
    rewards, values = torch.randn(3, 4), torch.randn(3, 4)
    found = ppo.advantages(rewards, values, SAID, gamma, lam)
    np.testing.assert_allclose(found.numpy(), loop(rewards, values, gamma, lam), atol=1e-6)


def numpy_losses(new: np.ndarray, old: np.ndarray, ref: np.ndarray, score: np.ndarray) -> dict[str, Any]:
    """Every formula token by token, in float64."""
    said = SAID.numpy()
    tokens = [(b, t) for b in range(3) for t in range(4) if said[b, t]]
    rewards = {kind: np.zeros(said.shape) for kind in ("k1", "k3")}
    for b, t in tokens:
        ratio = np.exp(ref[b, t] - old[b, t])
        rewards["k1"][b, t] = 0.3 * np.log(ratio)
        rewards["k3"][b, t] = -0.3 * (ratio - 1 - np.log(ratio))
    for b in range(3):
        for kind in rewards:
            rewards[kind][b, said[b].sum() - 1] += score[b]
    mean = sum(old[at] for at in tokens) / len(tokens)
    std = np.sqrt(sum((old[at] - mean) ** 2 for at in tokens) / len(tokens))
    policy = value = 0.0
    for at in tokens:
        ratio, advantage = np.exp(new[at] - old[at]), ref[at]
        policy += max(-ratio * advantage, -min(max(ratio, 0.7), 1.3) * advantage) / len(tokens)
        near = old[at] + min(max(new[at] - old[at], -0.1), 0.1)
        value += 0.5 * max((new[at] - ref[at]) ** 2, (near - ref[at]) ** 2) / len(tokens)
    white = np.where(said, (old - mean) / std, 0.0)
    return rewards | {"policy": policy, "value": value, "white": white, "unshifted": np.where(said, white + mean, 0.0)}


def test_every_formula_equals_its_loop_in_numpy() -> None:
    new, old, ref = torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 4)
    score = torch.randn(3)
    wanted = numpy_losses(*(x.double().numpy() for x in (new, old, ref, score)))
    found = {
        "k1": ppo.token_rewards(score, old, ref, SAID, 0.3, "k1"),
        "k3": ppo.token_rewards(score, old, ref, SAID, 0.3, "k3"),
        "policy": ppo.policy_loss(new, old, ref, SAID, clip=0.3),
        "value": ppo.value_loss(new, old, ref, SAID, clip=0.1),
        "white": ppo.whiten(old, SAID),
        "unshifted": ppo.whiten(old, SAID, shift=False),
    }
    for name, value in found.items():
        np.testing.assert_allclose(value.numpy(), wanted[name], atol=1e-6, rtol=1e-6, err_msg=name)


def test_beta_moves_a_fifth_of_the_horizons_share_at_most() -> None:
    assert ppo.adapted_beta(0.1, 6.0, 6.0, 64, 640) == 0.1
    assert ppo.adapted_beta(0.1, 6.6, 6.0, 64, 640) == pytest.approx(0.1 * 1.01)
    assert ppo.adapted_beta(0.1, 600.0, 6.0, 64, 640) == pytest.approx(0.1 * 1.02)
    assert ppo.adapted_beta(0.1, 0.0, 6.0, 64, 640) == pytest.approx(0.1 * 0.98)


def test_whitened_advantages_have_mean_0_and_variance_1_over_the_tokens_said() -> None:
    x = ppo.whiten(torch.randn(3, 4) * 5 + 2, SAID)
    assert x[SAID].mean().item() == pytest.approx(0, abs=1e-6)
    assert x[SAID].var(unbiased=False).item() == pytest.approx(1, abs=1e-5)
    assert not x[~SAID].any()


def test_the_score_comes_on_the_last_token_said() -> None:
    policy, reference = torch.zeros(3, 4), torch.full((3, 4), -0.5)
    rewards = ppo.token_rewards(torch.tensor([1.0, 2.0, 3.0]), policy, reference, SAID, beta=0.1)
    expected = torch.tensor([[-0.05, -0.05, -0.05, 0.95], [-0.05, 1.95, 0, 0], [2.95, 0, 0, 0]])
    torch.testing.assert_close(rewards, expected)


def test_policy_loss_by_hand() -> None:
    response_mask = torch.tensor([[True, True, True, True, False]])
    ratio = torch.tensor([[1.5, 0.5, 1.5, 0.5, 7.0]])
    advantage = torch.tensor([[1.0, 1.0, -1.0, -1.0, 9.0]])
    # ρA clipped from above at 1.2 where A > 0, and at 0.8 · A where A < 0: -(1.2 + 0.5 - 1.5 - 0.8) / 4
    found = ppo.policy_loss(ratio.log(), torch.zeros(1, 5), advantage, response_mask)
    assert found.item() == pytest.approx(0.15, abs=1e-6)


def test_the_gradient_stops_where_the_ratio_is_clipped() -> None:
    new = torch.tensor([[log(1.5), log(1.5)]], requires_grad=True)
    response_mask = torch.ones(1, 2, dtype=torch.bool)
    ppo.policy_loss(new, torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]), response_mask).backward()
    assert new.grad is not None
    torch.testing.assert_close(new.grad, torch.tensor([[0.0, 0.75]]))


def test_value_loss_by_hand() -> None:
    response_mask = torch.tensor([[True, True, False]])
    new, old, returns = torch.tensor([[1.0, 0.1, 5.0]]), torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]])
    # max(0, (0.2 - 1)²) and max(0.9², 0.9²): ½ (0.64 + 0.81) / 2
    assert ppo.value_loss(new, old, returns, response_mask).item() == pytest.approx(0.3625, abs=1e-6)


def test_kl_by_hand() -> None:
    policy = torch.tensor([[log(0.5), log(0.5)], [log(0.2), 0.0]])
    reference = torch.tensor([[log(0.25), log(0.75)], [log(0.2), 3.0]])
    response_mask = torch.tensor([[True, True], [True, False]])
    k1, k3 = ppo.kl_estimates(policy, reference, response_mask)
    assert k1 == pytest.approx((log(2) - log(1.5)) / 2, abs=1e-6)
    assert k3 == pytest.approx(((0.5 - 1 + log(2)) + (1.5 - 1 - log(1.5))) / 2, abs=1e-6)
    assert ppo.kl_estimates(policy, policy, response_mask) == (0.0, 0.0)


def test_k3_is_never_negative_and_both_mean_the_kl() -> None:
    p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.4, 0.4, 0.2])
    drawn = torch.multinomial(p, 40_000, replacement=True)[:, None]
    k1, k3 = ppo.kl_estimates(p.log()[drawn], q.log()[drawn], torch.ones_like(drawn, dtype=torch.bool))
    truth = float((p * (p / q).log()).sum())
    assert k1 == pytest.approx(truth, abs=0.01)
    assert k3 == pytest.approx(truth, abs=0.01)
    assert ppo.kl_estimates(p.log()[drawn[:1]], q.log()[drawn[:1]], torch.ones(1, 1, dtype=torch.bool))[1] >= 0


def test_explained_variance_of_a_perfect_and_an_ignorant_critic() -> None:
    returns = torch.randn(3, 4)
    assert ppo.explained_variance(returns, returns, SAID) == pytest.approx(1.0)
    assert ppo.explained_variance(torch.zeros(3, 4), returns, SAID) == pytest.approx(0.0)
    assert ppo.explained_variance(-returns, returns, SAID) == pytest.approx(-3.0, abs=1e-5)


FUNCTIONS: list[Callable[[Tensor, Tensor, Tensor], Tensor]] = [
    lambda a, b, c: ppo.advantages(a, b, SAID) + 0 * c[:, :1],
    lambda a, b, c: ppo.whiten(a, SAID),
    lambda a, b, c: ppo.whiten(a, SAID, shift=False),
    lambda a, b, c: ppo.token_rewards(c[:, 0], a, b, SAID, 0.1, "k3"),
    lambda a, b, c: ppo.masked_mean(a, SAID),
    lambda a, b, c: ppo.policy_loss(a, b, c, SAID),
    lambda a, b, c: ppo.value_loss(a, b, c, SAID),
    lambda a, b, c: ppo.token_rewards(c[:, 0], a, b, SAID, 0.1),
    lambda a, b, c: torch.tensor(ppo.kl_estimates(a.detach(), b.detach(), SAID)),
    lambda a, b, c: torch.tensor(ppo.explained_variance(a.detach(), b.detach(), SAID)),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_was_not_said_changes_neither_value_nor_gradient(function: Callable[..., Tensor]) -> None:
    def work(garbage: float) -> list[Tensor]:
        random = torch.Generator().manual_seed(5)
        inputs = [torch.randn(3, 4, generator=random).masked_fill(~SAID, garbage).requires_grad_() for _ in range(3)]
        value = function(*inputs)
        if not value.requires_grad:
            return [value]
        gradients = torch.autograd.grad((value * SAID).sum(), inputs, allow_unused=True)
        assert all(g is None or not g[~SAID].any() for g in gradients)
        return [value.detach(), *(g for g in gradients if g is not None)]

    for clean, dirty in zip(work(0.0), work(300.0), strict=True):
        torch.testing.assert_close(clean, dirty)


def test_the_ratio_of_an_unchanged_policy_is_1() -> None:
    logprobs, advantage = torch.randn(3, 4), torch.randn(3, 4)
    expected = -ppo.masked_mean(advantage, SAID)
    torch.testing.assert_close(ppo.policy_loss(logprobs, logprobs, advantage, SAID), expected)


@pytest.mark.parametrize(
    ("values", "returns", "wanted"),
    [([[1.0]], [[2.0]], 0.0), ([[1.0, 3.0]], [[2.0, 2.0]], 0.0), ([[1.0, 3.0]], [[1.0, 3.0]], 1.0)],
)
def test_explained_variance_is_a_number_where_nothing_varies(
    values: list[list[float]], returns: list[list[float]], wanted: float
) -> None:
    response_mask = torch.ones(1, len(values[0]), dtype=torch.bool)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ppo.explained_variance(torch.tensor(values), torch.tensor(returns), response_mask) == wanted
