"""PPO on answers (Ouyang et al. 2022, §3.5 step 3): one update from a rollout, top to bottom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gptwright.alignment.rollout import Judged, read_again
from gptwright.models.heads import PolicyAndValue
from gptwright.objectives import ppo as objective
from gptwright.training.batches import key
from gptwright.training.optimizer import Optimizer


@dataclass(frozen=True, kw_only=True)
class Update:
    """Settings of one update."""

    beta: float
    """weight of the KL to the reference in the reward"""
    epochs: int
    """passes over the rollout"""
    minibatches: int
    """parts of one pass"""
    value_weight: float
    """weight of the value loss"""
    temperature: float
    """the one the rollout was sampled with"""


def update(
    agent: PolicyAndValue,
    optimizer: Optimizer,
    judged: Judged,
    settings: Update,
    *,
    rate: float,
    seed: int,
    also: Callable[[int], Iterator[Tensor]] = lambda number: iter(()),
) -> dict[str, float]:
    """Improves the policy on its own episodes and returns what can go wrong, as numbers.

    `also` gives further losses for each minibatch: pretraining text (PPO-ptx), conversations.
    """
    rollout, said = judged.rollout, judged.rollout.said
    rewards = objective.token_rewards(judged.scores, rollout.logprobs, judged.reference, said, settings.beta)
    advantage = objective.advantages(rewards, rollout.values, said)
    returns = advantage + rollout.values
    advantage = objective.whiten(advantage, said)
    figures = _about(judged, returns)
    for number, rows in enumerate(_minibatches(len(rollout), settings, seed)):
        part = rollout.rows(rows)
        logprobs, values, entropy = read_again(agent.policy, agent.value, part, settings.temperature)
        if number == 0:
            figures["first_ratio_error"] = float(((logprobs.detach() - part.logprobs) * part.said).abs().max())
            figures["entropy_nats"] = float(objective.masked_mean(entropy.detach(), part.said))
        policy_loss = objective.policy_loss(logprobs, part.logprobs, advantage[rows], part.said)
        value_loss = objective.value_loss(values, part.values, returns[rows], part.said)
        (policy_loss + settings.value_weight * value_loss).backward()
        for loss in also(number):
            loss.backward()
        figures["gradient_norm"] = optimizer.step(rate, clip=1.0)
        figures["value_loss"] = float(value_loss.detach())
    return figures


def _about(judged: Judged, returns: Tensor) -> dict[str, float]:
    rollout = judged.rollout
    k1, k3 = objective.kl_estimates(rollout.logprobs, judged.reference, rollout.said)
    return {
        "score": float(judged.scores.mean()),
        "kl_nats": k1,
        "kl_k3_nats": k3,
        "answer_tokens": float(rollout.said.sum(1).float().mean()),
        "ended": float(rollout.ended.float().mean()),
        "explained_variance": objective.explained_variance(rollout.values, returns, rollout.said),
    }


def _minibatches(count: int, settings: Update, seed: int) -> Iterator[Tensor]:
    for epoch in range(settings.epochs):
        random = torch.Generator().manual_seed(key(seed, epoch) >> 1)
        yield from torch.randperm(count, generator=random).chunk(settings.minibatches)
