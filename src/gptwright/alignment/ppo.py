"""PPO on answers (Ouyang et al. 2022, §3.5 step 3): one update from a rollout, top to bottom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.alignment.rollout import Rollout, ScoredRollout, recompute_logprobs
from gptwright.models.heads import PolicyAndValue
from gptwright.objectives import ppo as objective
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import key
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import add_gradients, take_step


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
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


@dataclass(frozen=True)
class Episodes:
    """A rollout with what is to be learned from it."""

    rollout: Rollout
    advantage: Float[Tensor, "B A"]
    returns: Float[Tensor, "B A"]

    @property
    def rows(self) -> int:
        return len(self.rollout)

    def at(self, rows: Int[Tensor, "R"]) -> "Episodes":
        """Some of them."""
        return Episodes(self.rollout.rows(rows), self.advantage[rows], self.returns[rows])


def update(
    agent: PolicyAndValue,
    optimizer: Optimizer,
    train_state: TrainState,
    judged: ScoredRollout,
    settings: PPOConfig,
    *,
    rate: float,
    seed: int,
    auxiliary_losses: Callable[[int, BatchShard], Iterator[Tensor]] = lambda number, shard: iter(()),
) -> dict[str, float]:
    """Improves the policy on its own episodes and returns what can go wrong, as numbers.

    `auxiliary_losses` gives further losses for each minibatch and share: pretraining text (PPO-ptx), conversations.
    """
    rollout, said = judged.rollout, judged.rollout.said
    rewards = objective.token_rewards(judged.scores, rollout.logprobs, judged.reference, said, settings.beta)
    advantage = objective.advantages(rewards, rollout.values, said)
    returns = advantage + rollout.values
    episodes = Episodes(rollout, objective.whiten(advantage, said), returns)
    metrics = _about(judged, returns)

    def everything(number: int, seen: dict[str, float]) -> Callable[[Episodes, BatchShard], Iterator[Tensor]]:
        return lambda minibatch, shard: chain(
            losses(agent, minibatch, settings, shard, seen), auxiliary_losses(number, shard)
        )

    for number, rows in enumerate(_minibatches(len(rollout), settings, seed)):
        seen: dict[str, float] = {}
        add_gradients(optimizer, everything(number, seen), episodes.at(rows), train_state)
        metrics["gradient_norm"] = take_step(optimizer, rate, train_state)
        metrics["value_loss"] = seen.pop("value_loss")
        if number == 0:
            metrics |= seen
    return metrics


def losses(
    agent: PolicyAndValue, episodes: Episodes, settings: PPOConfig, shard: BatchShard, seen: dict[str, float]
) -> Iterator[Tensor]:
    """The loss of one minibatch in parts, one a piece of `shard`; writes into `seen` what went by."""
    count = int(episodes.rollout.said.sum())
    seen |= {"first_ratio_error": 0.0, "entropy_nats": 0.0, "value_loss": 0.0}
    for rows in shard.slices(len(episodes.rollout)):
        part = episodes.at(torch.arange(rows.start, rows.stop))
        then, said = part.rollout, part.rollout.said
        logprobs, values, entropy = recompute_logprobs(agent.policy, agent.value, then, settings.temperature)
        error = float(((logprobs.detach() - then.sampled) * said).abs().max())
        seen["first_ratio_error"] = max(seen["first_ratio_error"], error)
        seen["entropy_nats"] += float(objective.masked_mean(entropy.detach(), said, count))
        policy_loss = objective.policy_loss(logprobs, then.logprobs, part.advantage, said, count)
        value_loss = objective.value_loss(values, then.values, part.returns, said, count)
        seen["value_loss"] += float(value_loss.detach())
        yield policy_loss + settings.value_weight * value_loss


def _about(judged: ScoredRollout, returns: Tensor) -> dict[str, float]:
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


def _minibatches(count: int, settings: PPOConfig, seed: int) -> Iterator[Tensor]:
    """As many parts a pass as the settings say, whose sizes differ by one at most."""
    for epoch in range(settings.epochs):
        random = torch.Generator().manual_seed(key(seed, epoch) >> 1)
        yield from torch.randperm(count, generator=random).tensor_split(settings.minibatches)
