from math import exp, log

import numpy as np
import pytest
import torch
from torch import Tensor

from gptwright.objectives.ranking import (
    LOSSES,
    better_pairs,
    bradley_terry,
    grades,
    places,
    prompt_loss,
    ranking_loss,
    right_pairs,
)


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


def in_numpy(name: str, rewards: list[float], ranks: list[int], noise: float = 0.0, share: float = 0.5) -> float:
    """One prompt, by loops over its answers in double precision."""
    real = [i for i in range(len(ranks)) if ranks[i] >= 1]
    pairs = [(i, j) for i in real for j in real if ranks[i] < ranks[j]]
    if name == "plackett-luce":
        choices = [[i, *(j for k, j in pairs if k == i)] for i in sorted({i for i, _ in pairs})]
        return float(np.mean([np.log(sum(np.exp(rewards[j] - rewards[c[0]]) for j in c)) for c in choices]))
    grade = {i: sum(k == i for k, _ in pairs) for i in real}
    order = sorted(real, key=lambda i: -rewards[i])
    place = {i: 1 + at for at, i in enumerate(order)}
    weights: list[float] = []
    for i, j in pairs:
        if name == "lambdarank":
            discount = abs(1 / np.log2(1 + place[i]) - 1 / np.log2(1 + place[j]))
        else:
            apart = abs(place[i] - place[j])
            discount = abs(1 / np.log2(1 + apart) - 1 / np.log2(2 + apart))
        weights.append(1.0 if name == "bradley-terry" else abs(grade[i] - grade[j]) * float(discount))
    scale = len(pairs) / sum(weights)
    total = 0.0
    for (i, j), weight in zip(pairs, weights, strict=True):
        wrong = np.log1p(np.exp(rewards[j] - rewards[i]))
        other = np.log1p(np.exp(rewards[i] - rewards[j]))
        total += (share + (1 - share) * scale * weight) * ((1 - noise) * wrong + noise * other)
    return total / len(pairs)


RAGGED = torch.tensor([[2, 1, 3, 3, 1, 0], [4, 3, 1, 2, 5, 6], [1, 2, 0, 0, 0, 0], [9, 9, 4, 9, 0, 0]])


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_that_of_loops_in_numpy(name: str, share: float, noise: float) -> None:
    noise = 0.0 if name == "plackett-luce" else noise
    rewards = torch.randn(RAGGED.shape, generator=torch.Generator().manual_seed(1))
    found = prompt_loss(name, noise, share)(rewards, RAGGED)
    rows = zip(rewards.double().tolist(), RAGGED.tolist(), strict=True)
    assert found.tolist() == pytest.approx([in_numpy(name, *row, noise, share) for row in rows], abs=1e-6)


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_the_order_in_which_answers_stand_changes_neither_loss_nor_gradient(name: str, equal: bool) -> None:
    dice = torch.Generator().manual_seed(2)
    rewards = torch.randint(0, 3, RAGGED.shape, generator=dice) * 1.0 if equal else torch.randn(RAGGED.shape)
    moved = torch.randperm(RAGGED.shape[1], generator=dice)
    loss = prompt_loss(name)
    both: list[tuple[Tensor, Tensor]] = []
    for order in (torch.arange(RAGGED.shape[1]), moved):
        leaf = rewards.clone().requires_grad_()
        found = loss(leaf[:, order], RAGGED[:, order])
        found.sum().backward()
        assert leaf.grad is not None
        both.append((found.detach(), leaf.grad))
    torch.testing.assert_close(both[0], both[1])
    torch.testing.assert_close(loss(rewards, RAGGED * 7), loss(rewards, RAGGED))
    assert not both[0][1][RAGGED == 0].any()


@pytest.mark.parametrize("name", LOSSES)
def test_two_answers_are_bradley_terry_and_ties_are_silent(name: str) -> None:
    rewards = torch.tensor([[0.3, -1.2], [2.0, 2.0], [1.0, 5.0]])
    ranks = torch.tensor([[2, 1], [1, 2], [3, 3]])
    torch.testing.assert_close(prompt_loss(name)(rewards, ranks), bradley_terry(rewards, ranks))
    assert ranking_loss(rewards[2:], ranks[2:], prompt_loss(name)) == 0


@pytest.mark.parametrize("constant", [1.0, 3.0])
def test_lambdarank_of_constant_weights_is_bradley_terry(constant: float) -> None:
    rewards = torch.randn(RAGGED.shape)
    found = bradley_terry(rewards, RAGGED, weigh=lambda _, pairs: torch.full(pairs.shape, constant))
    torch.testing.assert_close(found, bradley_terry(rewards, RAGGED))


def test_places_by_hand() -> None:
    ranks = torch.tensor([[1, 2, 2, 3, 0]])
    pairs = better_pairs(ranks)
    assert places(torch.tensor([[3.0, 2.0, 1.0, 4.0, 9.0]]), pairs)[0, :4].tolist() == [2, 3, 4, 1]
    assert places(torch.zeros(1, 5), pairs)[0, :4].tolist() == [4, 2.5, 2.5, 1], "equal: the worse before the better"
    assert grades(pairs).tolist() == [[3, 1, 1, 0, 0]]


def test_noise_bounds_how_sure_it_may_become() -> None:
    margins = torch.linspace(-6, 6, 1201)
    losses = bradley_terry(torch.stack([margins, torch.zeros(1201)], 1), torch.tensor([[1, 2]] * 1201), noise=0.1)
    assert margins[losses.argmin()].item() == pytest.approx(log(0.9 / 0.1), abs=0.02)


def test_weights_of_prompts() -> None:
    rewards, ranks = torch.randn(3, 2), torch.tensor([[1, 2], [2, 1], [1, 1]])
    each = bradley_terry(rewards, ranks)
    found = ranking_loss(rewards, ranks, weights=torch.tensor([3.0, 1.0, 5.0]))
    torch.testing.assert_close(found, (3 * each[0] + each[1]) / 4)
