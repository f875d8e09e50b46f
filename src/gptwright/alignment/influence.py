"""The influence of demonstrations and rankings on an answer: what one more step on each changes, to first order."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gptwright.alignment.answer_batch import AnswerBatch, by_prompt
from gptwright.alignment.answer_logprobs import Compared, best_nats, token_logprobs
from gptwright.alignment.demonstrations import Demonstration
from gptwright.alignment.rankings import RankedIds, padded_ranks
from gptwright.foundations.device import device_of, to_device
from gptwright.interpretability.influence import Gradient, gradient, slopes
from gptwright.models.decoder import Decoder
from gptwright.models.heads import RewardModel
from gptwright.objectives.dpo import implicit_rewards
from gptwright.objectives.language import IGNORED, next_token_loss, token_nats
from gptwright.objectives.ranking import PromptLoss, bradley_terry
from gptwright.tokenizers.padding import padded

ROWS = 64
"""that are read together"""


def influence_of_demonstrations(
    network: Decoder, answer: Demonstration, shown: Sequence[Demonstration], pad: int
) -> Float[Tensor, "N"]:
    """Nats by which the answer becomes likelier for every unit of the rate of a step on each demonstration, whose loss
    is the mean over the tokens that it teaches: a sum would be ruled by the longest."""
    direction = _gradient_of_nats(network, answer)
    return slopes(network, direction, lambda: demonstration_nats(network, shown, pad)) / taught(shown)


def _gradient_of_nats(network: Decoder, answer: Demonstration) -> Gradient:
    ids, targets = (torch.tensor([row], device=device_of(network)) for row in (answer.ids, answer.targets))
    with torch.enable_grad():
        return gradient(network, next_token_loss(network.hidden(ids), network.output, targets, count=1))


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


@dataclass(frozen=True, kw_only=True)
class DirectLoss:
    """What a policy learned from rankings without a reward model, as the options of dpo name it."""

    beta: float
    smoothing: float = 0.0
    best_weight: float = 0.0

    @torch.no_grad()
    def of_each(self, policy: Decoder, items: Sequence[Compared], pad: int) -> Float[Tensor, "N"]:
        """The loss of each ranking, as if it were alone in its step."""
        found = list[Tensor]()
        for start in range(0, len(items), ROWS):
            some = items[start : start + ROWS]
            ids = [item.ids for item in some]
            tokens, ranks = token_logprobs(policy, ids, pad), padded_ranks(ids)
            reference = pad_sequence([torch.tensor(item.reference).double() for item in some], batch_first=True)
            logprobs = by_prompt(tokens.sum(1).double().cpu(), ranks)
            losses = bradley_terry(implicit_rewards(logprobs, reference, self.beta), ranks, noise=self.smoothing)
            found.append(losses + self.best_weight * best_nats(tokens, ids).double().cpu())
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def influence_of_pairs(
    policy: Decoder, answer: Demonstration, items: Sequence[Compared], pad: int, loss: DirectLoss
) -> Float[Tensor, "N"]:
    """Nats by which the answer becomes likelier for every unit of the rate of a step of dpo on each ranking."""
    direction = _gradient_of_nats(policy, answer)
    return slopes(policy, direction, lambda: loss.of_each(policy, items, pad))


def influence_of_rankings(
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
