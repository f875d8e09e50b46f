"""Which demonstrations and rankings push an answer: what one more step on each would change, to first order."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.answer_batch import AnswerBatch, by_prompt
from gptwright.alignment.demonstrations import Demonstration
from gptwright.alignment.rankings import RankedIds
from gptwright.foundations.device import device_of, to_device
from gptwright.interpretability.influence import gradient, slopes
from gptwright.models.decoder import Decoder
from gptwright.models.heads import RewardModel
from gptwright.objectives.language import IGNORED, next_token_loss, token_nats
from gptwright.objectives.ranking import PromptLoss, bradley_terry
from gptwright.tokenizers.padding import padded

ROWS = 64
"""that are read together"""


def push_of_demonstrations(
    network: Decoder, answer: Demonstration, shown: Sequence[Demonstration], pad: int
) -> Float[Tensor, "N"]:
    """Nats by which the answer becomes likelier for every unit of the rate of a step on each demonstration, whose loss
    is the mean over the tokens that it teaches: a sum would be ruled by the longest."""
    ids, targets = (torch.tensor([row], device=device_of(network)) for row in (answer.ids, answer.targets))
    with torch.enable_grad():
        nats = next_token_loss(network.hidden(ids), network.output, targets, count=1)
        direction = gradient(network, nats)
    return slopes(network, direction, lambda: demonstration_nats(network, shown, pad)) / taught(shown)


def taught(shown: Sequence[Demonstration]) -> Float[Tensor, "N"]:
    """How many tokens each one teaches."""
    counts = [sum(target != IGNORED for target in each.targets) for each in shown]
    return torch.tensor(counts, dtype=torch.float64)


@torch.no_grad()
def demonstration_nats(network: Decoder, shown: Sequence[Demonstration], pad: int) -> Float[Tensor, "N"]:
    """What the words that each one teaches cost, together."""
    found = torch.zeros(len(shown), dtype=torch.float64)
    device = device_of(network)
    order = sorted(range(len(shown)), key=lambda at: len(shown[at].ids))
    for start in range(0, len(order), ROWS):
        some = order[start : start + ROWS]
        ids = padded([shown[at].ids for at in some], pad).to(torch.long)
        targets = padded([shown[at].targets for at in some], IGNORED).to(torch.long)
        rows, columns = torch.nonzero(targets != IGNORED, as_tuple=True)
        states = network.hidden(to_device(ids, device))[rows, columns]
        nats = token_nats(states, network.output, to_device(targets[rows, columns], device)).double().cpu()
        found[torch.tensor(some)] = torch.zeros(len(some), dtype=torch.float64).index_add(0, rows, nats)
    return found


def push_of_rankings(
    model: RewardModel, answer: Sequence[int], items: Sequence[RankedIds], pad: int, loss: PromptLoss = bradley_terry
) -> Float[Tensor, "N"]:
    """By how much the reward of an answer, whose ids end with its end of turn, rises for every unit of the rate of a
    step on each ranking."""
    device = device_of(model)
    ids, last = torch.tensor([list(answer)], device=device), torch.tensor([len(answer) - 1], device=device)
    with torch.enable_grad():
        direction = gradient(model, model(ids, last).float().sum())
    return -slopes(model, direction, lambda: ranking_losses(model, items, pad, loss))


@torch.no_grad()
def ranking_losses(
    model: RewardModel, items: Sequence[RankedIds], pad: int, loss: PromptLoss = bradley_terry
) -> Float[Tensor, "N"]:
    """The loss of each ranking."""
    found = list[Tensor]()
    for start in range(0, len(items), ROWS):
        batch = AnswerBatch.of_items(items[start : start + ROWS], pad).to(device_of(model))
        rewards = by_prompt(model.head(batch.states(model)), batch.ranks)
        found.append(loss(rewards.double(), batch.ranks).cpu())
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)
