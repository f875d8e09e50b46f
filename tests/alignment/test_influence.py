"""Influence on an answer: the products of single gradients, and the sign of a step."""

from typing import Any

import pytest
import torch

from gptwright.alignment.answer_logprobs import Compared
from gptwright.alignment.demonstrations import Demonstration
from gptwright.alignment.influence import (
    DirectLoss,
    demonstration_nats,
    influence_of_demonstrations,
    influence_of_pairs,
    influence_of_rankings,
    ranking_losses,
    taught,
)
from gptwright.alignment.rankings import RankedIds
from gptwright.interpretability.influence import gradient, moved
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import RewardModel
from gptwright.objectives.language import IGNORED, next_token_loss
from gptwright.objectives.ranking import bradley_terry
from gptwright.tokenizers.tokenizer import Tokenizer

SHOWN = [Demonstration([5, 6, 7, 8], [IGNORED, 7, 8, 9]), Demonstration([9, 5], [5, 6]),
         Demonstration([20, 21, 22, 23, 24, 25], [IGNORED, IGNORED, IGNORED, 24, 25, 26])]  # fmt: skip


def nats(network: GPT2, each: Demonstration) -> torch.Tensor:
    ids, targets = torch.tensor([each.ids]), torch.tensor([each.targets])
    return next_token_loss(network.hidden(ids), network.output, targets, count=1)


def test_nats_are_those_of_each_alone(network: GPT2, tokenizer: Tokenizer) -> None:
    found = demonstration_nats(network, SHOWN, tokenizer.pad_id)
    alone = torch.tensor([nats(network, each).item() for each in SHOWN]).double()
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-4)


def test_influences_are_products_of_gradients(network: GPT2, tokenizer: Tokenizer) -> None:
    network.requires_grad_(True)
    found = influence_of_demonstrations(network, SHOWN[0], SHOWN, tokenizer.pad_id)
    own = [gradient(network, nats(network, each)) for each in SHOWN]
    sums: list[Any] = [sum((own[0][n].double() * each[n].double()).sum() for n in each) for each in own]
    exact = [float(total) / count for total, count in zip(sums, taught(SHOWN).tolist(), strict=True)]
    assert taught(SHOWN).tolist() == [3, 2, 3]
    assert found.tolist() == pytest.approx(exact, rel=0.02, abs=0.02 * exact[0])
    assert found[0] > 0


@pytest.mark.parametrize(("smoothing", "best_weight"), [(0.0, 0.0), (0.2, 3.0)])
def test_influences_of_pairs_are_products_of_gradients(network: GPT2, smoothing: float, best_weight: float) -> None:
    """Of dpo's loss by hand: -(1 - ε) log σ(±β margin) - ε log σ(∓β margin), and the best answer's nats a token."""
    network.requires_grad_(True)
    items = [RankedIds([[5, 6, 7, 8], [5, 6, 9]], [1, 2]), RankedIds([[5, 6, 7, 8], [5, 6, 9]], [2, 1]),
             RankedIds([[20, 21], [20, 22, 23]], [1, 2])]  # fmt: skip
    pairs, beta = [Compared("", each, [-3.0, -2.0]) for each in items], 0.5

    def nats_of(row: list[int], behind: int) -> torch.Tensor:
        logprobs = network(torch.tensor([row]))[0, :-1].log_softmax(-1)
        return -logprobs.gather(1, torch.tensor(row)[1:, None])[behind - 1 :, 0]

    def loss(item: RankedIds, behind: int) -> torch.Tensor:
        each = [nats_of(row, behind) for row in item.rows]
        best = item.ranks.index(1)
        rewards = [beta * (-one.sum() - told) for one, told in zip(each, (-3.0, -2.0), strict=True)]
        margin = rewards[best] - rewards[1 - best]
        right, wrong = torch.nn.functional.logsigmoid(margin), torch.nn.functional.logsigmoid(-margin)
        return -(1 - smoothing) * right - smoothing * wrong + best_weight * each[best].mean()

    own = gradient(network, nats(network, SHOWN[0]))
    each = [gradient(network, loss(item, behind)) for item, behind in zip(items, (2, 2, 1), strict=True)]
    exact = [float(sum((own[n].double() * one[n].double()).sum() for n in one)) for one in each]
    direct = DirectLoss(beta=beta, smoothing=smoothing, best_weight=best_weight)
    found = influence_of_pairs(network, SHOWN[0], pairs, 0, direct)
    assert found.tolist() == pytest.approx(exact, rel=0.02, abs=0.02 * max(map(abs, exact)))
    assert direct.of_each(network, [], 0).shape == (0,)


def test_a_ranking_with_influence_for_an_answer_raises_its_reward(network: GPT2) -> None:
    model = RewardModel(network).requires_grad_(True)
    torch.nn.init.normal_(model.head.score.weight)
    items = [RankedIds([[5, 6, 7], [5, 6, 9]], [1, 2]), RankedIds([[5, 6, 7], [5, 6, 9]], [2, 1]),
             RankedIds([[20, 21], [20, 22]], [1, 2])]  # fmt: skip
    found = influence_of_rankings(model, [5, 6, 7], items, 0)
    assert found[0] > 0 > found[1]

    def reward() -> float:
        with torch.no_grad():
            return model(torch.tensor([[5, 6, 7]]), torch.tensor([2])).item()

    rewards = model(torch.tensor(items[0].rows), torch.tensor([2, 2]))[None]
    step = gradient(model, bradley_terry(rewards, torch.tensor([[1, 2]])).sum())
    before, rate = reward(), 1e-4
    with moved(model, step, -rate):
        assert (reward() - before) / rate == pytest.approx(found[0].item(), rel=0.05)
    assert ranking_losses(model, [], 0).shape == (0,)
