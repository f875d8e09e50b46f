"""PPO on answers (Ouyang et al. 2022, §3.5 step 3): updates from rollouts, top to bottom."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.alignment.rollout import Rollout, ScoredRollout, recompute_logprobs
from gptwright.alignment.updates import Trainer, note_agreement, rollout_metrics
from gptwright.models.heads import PolicyAndValue
from gptwright.objectives import ppo as objective
from gptwright.training.batch_shard import BatchShard
from gptwright.training.task import B
from gptwright.training.train_state import TrainState


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Settings of one update."""

    beta: float
    """weight of the KL to the reference in the reward"""
    value_weight: float
    """weight of the value loss"""
    temperature: float
    """the one the rollout was sampled with"""
    kl: Literal["k1", "k3"] = "k1"
    """estimate of the KL in the reward"""
    kl_target: float = 6.0
    """nats an answer that β is adapted to"""
    kl_horizon: int = 0
    """episodes in which it adapts; 0: β is fixed"""
    gamma: float = 1.0
    """discount of what comes later"""
    lam: float = 0.95
    """λ of generalised advantage estimation"""
    clip: float = 0.2
    """how far the ratio may be from 1"""
    value_clip: float = 0.2
    """how far a value may move from the rollout's"""
    whiten_rewards: bool = False
    """whether rewards get variance 1, their mean kept"""


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


@dataclass(frozen=True, kw_only=True)
class PPOTrainer(Trainer[B]):
    """Improves `agent` on its own answers. `state` is what is saved beside the weights: "beta", where it adapts."""

    agent: PolicyAndValue
    config: PPOConfig
    state: dict[str, Any] = field(default_factory=dict[str, Any])

    def update(
        self, scored: ScoredRollout, train_state: TrainState, *, rate: float, seed: int, first_minibatch: int = 0
    ) -> dict[str, float]:
        config, beta = self.config, self.state.get("beta", self.config.beta)
        episodes = episodes_of(scored, config, beta)
        metrics = {"beta": beta, "clip_fraction": 0.0} | rollout_metrics(scored) | _value_metrics(episodes)
        metrics["reward_misplaced"] = misplaced(scored, config, beta)
        learned = partial(losses, self.agent, config)
        steps = self.steps(episodes, learned, train_state, rate=rate, seed=seed, first=first_minibatch)
        for number, seen in enumerate(steps):
            metrics["gradient_norm"], metrics["value_loss"] = seen.pop("gradient_norm"), seen.pop("value_loss")
            metrics["clip_fraction"] += seen.pop("clip_fraction") / (self.epochs * self.minibatches)
            if number == 0:
                metrics |= seen
        if config.kl_horizon:
            self.state["beta"] = objective.adapted_beta(
                beta, metrics["kl_nats"], config.kl_target, scored.rows, config.kl_horizon
            )
        return metrics


def episodes_of(scored: ScoredRollout, config: PPOConfig, beta: float) -> Episodes:
    """What is to be learned: rewards on tokens, their advantages by the rollout's values, and the returns."""
    rollout, response_mask = scored.rollout, scored.rollout.response_mask
    rewards = objective.token_rewards(scored.scores, rollout.logprobs, scored.reference, response_mask, beta, config.kl)
    if config.whiten_rewards:
        rewards = objective.whiten(rewards, response_mask, shift=False)
    advantage = objective.advantages(rewards, rollout.values, response_mask, config.gamma, config.lam)
    return Episodes(rollout, objective.whiten(advantage, response_mask), advantage + rollout.values)


def losses(
    agent: PolicyAndValue, config: PPOConfig, episodes: Episodes, shard: BatchShard, seen: dict[str, float]
) -> Iterator[Tensor]:
    """The loss of one minibatch in parts, one for each micro-batch of `shard`; its metrics are written into `seen`."""
    count = int(episodes.rollout.response_mask.sum())
    seen |= {"value_loss": 0.0, "clip_fraction": 0.0}
    for rows in shard.slices(len(episodes.rollout)):
        part = episodes.at(torch.arange(rows.start, rows.stop))
        old, response_mask = part.rollout, part.rollout.response_mask
        logprobs, values, entropy = recompute_logprobs(agent.policy, agent.value, old, config.temperature)
        note_agreement(seen, logprobs, entropy, old, count)
        far = ((logprobs.detach() - old.logprobs).exp() - 1).abs() > config.clip
        seen["clip_fraction"] += float(objective.masked_mean(far.float(), response_mask, count))
        policy_loss = objective.policy_loss(logprobs, old.logprobs, part.advantage, response_mask, count, config.clip)
        value_loss = objective.value_loss(values, old.values, part.returns, response_mask, count, config.value_clip)
        seen["value_loss"] += float(value_loss.detach())
        yield policy_loss + config.value_weight * value_loss


def _value_metrics(episodes: Episodes) -> dict[str, float]:
    values, response_mask = episodes.rollout.values, episodes.rollout.response_mask
    return {
        "explained_variance": objective.explained_variance(values, episodes.returns, response_mask),
        "value_std": float(values[response_mask].std(unbiased=False)),
    }


def misplaced(scored: ScoredRollout, config: PPOConfig, beta: float) -> float:
    """How far the reward on each answer's last token is from what it must be, at most: its score less its KL there."""
    rollout, each = scored.rollout, torch.arange(scored.rows, device=scored.scores.device)
    last = rollout.response_mask.sum(1) - 1
    given = (rollout.logprobs, scored.reference, rollout.response_mask, beta, config.kl)
    rewards, without = (objective.token_rewards(scores, *given) for scores in (scored.scores, scored.scores * 0))
    return float(((rewards - without)[each, last] - scored.scores).abs().max())
