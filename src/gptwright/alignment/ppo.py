"""PPO on answers (Ouyang et al. 2022, §3.5 step 3): updates from rollouts, top to bottom."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.alignment.rollout import Rollout, ScoredRollout, recompute_logprobs
from gptwright.alignment.rollout_worker import ScoredRollouts
from gptwright.models.heads import PolicyAndValue
from gptwright.objectives import ppo as objective
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.batches import key
from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import Schedule
from gptwright.training.task import B, Task
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


class Update(NamedTuple):
    """What happened in one update. `number` counts from 1: after update n, n updates are done."""

    number: int
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class PPOTrainer(Generic[B]):
    """Improves `agent` on its own answers.

    `auxiliary` is learned beside every minibatch: pretraining text (PPO-ptx), conversations. `state` is what must be
    saved beside the weights: "beta", where it adapts.
    """

    agent: PolicyAndValue
    optimizer: Optimizer
    config: PPOConfig
    auxiliary: Task[B] | None = None
    shard: BatchShard = WHOLE
    """this process's part of every minibatch; all have the whole rollout"""
    state: dict[str, Any] = field(default_factory=dict[str, Any])

    def train(
        self, rollouts: ScoredRollouts, rate: Schedule, train_state: TrainState, *, updates: int, seed: int
    ) -> Iterator[Update]:
        """Does what `train_state` has still to do up to `updates`: a rollout, then its minibatches; yields each."""
        minibatches = self.config.epochs * self.config.minibatches
        for number in train_state.steps(updates):
            step = number + train_state.skipped_batches
            metrics = self.update(rollouts.batch(step), train_state, rate=rate(number), seed=key(seed, step),
                                  first_minibatch=step * minibatches)  # fmt: skip
            yield Update(number + 1, metrics)

    def update(
        self, scored: ScoredRollout, train_state: TrainState, *, rate: float, seed: int, first_minibatch: int = 0
    ) -> dict[str, float]:
        """Takes the optimiser steps of one rollout and returns its metrics.

        `first_minibatch` counts those of earlier updates: the auxiliary task's step of the first.
        """
        config, beta = self.config, self.state.get("beta", self.config.beta)
        episodes = episodes_of(scored, config, beta)
        metrics = {"beta": beta, "clip_fraction": 0.0} | _rollout_metrics(scored, episodes.returns)
        for number, rows in enumerate(_minibatches(scored.rows, config, seed)):
            seen: dict[str, float] = {}
            loss = partial(self._losses, first_minibatch + number, seen)
            add_gradients(self.optimizer, loss, episodes.at(rows), train_state, self.shard)
            seen = self._of_all(seen)
            metrics["gradient_norm"] = take_step(self.optimizer, rate, train_state)
            metrics["value_loss"] = seen.pop("value_loss")
            metrics["clip_fraction"] += seen.pop("clip_fraction") / (config.epochs * config.minibatches)
            if number == 0:
                metrics |= seen
        if config.kl_horizon:
            self.state["beta"] = objective.adapted_beta(
                beta, metrics["kl_nats"], config.kl_target, scored.rows, config.kl_horizon
            )
        return metrics

    def _of_all(self, seen: dict[str, float]) -> dict[str, float]:
        """What the processes saw of their parts, together."""
        parts = self.optimizer.layout.world.gather(seen)
        return {name: (max if name == "first_ratio_error" else sum)(part[name] for part in parts) for name in seen}

    def _losses(self, step: int, seen: dict[str, float], episodes: Episodes, shard: BatchShard) -> Iterator[Tensor]:
        yield from losses(self.agent, episodes, self.config, shard, seen)
        if self.auxiliary:
            yield from self.auxiliary.loss(self.auxiliary.batch(step), shard)


def episodes_of(scored: ScoredRollout, config: PPOConfig, beta: float) -> Episodes:
    """What is to be learned: rewards on tokens, their advantages by the rollout's values, and the returns."""
    rollout, response_mask = scored.rollout, scored.rollout.response_mask
    rewards = objective.token_rewards(scored.scores, rollout.logprobs, scored.reference, response_mask, beta, config.kl)
    if config.whiten_rewards:
        rewards = objective.whiten(rewards, response_mask, shift=False)
    advantage = objective.advantages(rewards, rollout.values, response_mask, config.gamma, config.lam)
    return Episodes(rollout, objective.whiten(advantage, response_mask), advantage + rollout.values)


def losses(
    agent: PolicyAndValue, episodes: Episodes, config: PPOConfig, shard: BatchShard, seen: dict[str, float]
) -> Iterator[Tensor]:
    """The loss of one minibatch in parts, one for each micro-batch of `shard`; its metrics are written into `seen`."""
    count = int(episodes.rollout.response_mask.sum())
    seen |= {"first_ratio_error": 0.0, "entropy_nats": 0.0, "value_loss": 0.0, "clip_fraction": 0.0}
    for rows in shard.slices(len(episodes.rollout)):
        part = episodes.at(torch.arange(rows.start, rows.stop))
        old, response_mask = part.rollout, part.rollout.response_mask
        logprobs, values, entropy = recompute_logprobs(agent.policy, agent.value, old, config.temperature)
        error = float(((logprobs.detach() - old.sampled) * response_mask).abs().max())
        seen["first_ratio_error"] = max(seen["first_ratio_error"], error)
        seen["entropy_nats"] += float(objective.masked_mean(entropy.detach(), response_mask, count))
        far = ((logprobs.detach() - old.logprobs).exp() - 1).abs() > config.clip
        seen["clip_fraction"] += float(objective.masked_mean(far.float(), response_mask, count))
        policy_loss = objective.policy_loss(logprobs, old.logprobs, part.advantage, response_mask, count, config.clip)
        value_loss = objective.value_loss(values, old.values, part.returns, response_mask, count, config.value_clip)
        seen["value_loss"] += float(value_loss.detach())
        yield policy_loss + config.value_weight * value_loss


def _rollout_metrics(scored: ScoredRollout, returns: Tensor) -> dict[str, float]:
    rollout = scored.rollout
    k1, k3 = objective.kl_estimates(rollout.logprobs, scored.reference, rollout.response_mask)
    gold = {} if scored.gold is None else {"gold": float(scored.gold.mean())}
    return gold | {
        "score": float(scored.scores.mean()),
        "score_std": float(scored.scores.std(unbiased=False)),
        "kl_nats": k1,
        "kl_k3_nats": k3,
        "answer_tokens": float(rollout.response_mask.sum(1).float().mean()),
        "ended": float(rollout.ended.float().mean()),
        "explained_variance": objective.explained_variance(rollout.values, returns, rollout.response_mask),
    }


def _minibatches(count: int, config: PPOConfig, seed: int) -> Iterator[Tensor]:
    """As many parts a pass as `config` says, whose sizes differ by one at most."""
    for epoch in range(config.epochs):
        random = torch.Generator().manual_seed(key(seed, epoch) >> 1)
        yield from torch.randperm(count, generator=random).tensor_split(config.minibatches)
