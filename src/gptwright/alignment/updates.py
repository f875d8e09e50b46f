"""The loop of every algorithm that learns from its own answers: a rollout, then optimiser steps on parts of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.alignment.rollout import Rollout, ScoredRollout
from gptwright.alignment.rollout_worker import ScoredRollouts
from gptwright.objectives.ppo import kl_estimates, masked_mean
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.batches import key
from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import Schedule
from gptwright.training.task import B, Task
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import add_gradients, take_step


class Update(NamedTuple):
    """What happened in one update. `number` counts from 1: after update n, n updates are done."""

    number: int
    metrics: dict[str, float]


E = TypeVar("E", bound="Episodes")


@runtime_checkable
class Episodes(Protocol):
    """A rollout with what is to be learned from it."""

    @property
    def rows(self) -> int: ...
    def at(self: E, rows: Int[Tensor, "R"]) -> E:
        """Some of them."""
        ...


Losses = Callable[[E, BatchShard, dict[str, float]], Iterator[Tensor]]
"""The loss of a minibatch in parts, one for each micro-batch; its metrics are written into the table."""


@dataclass(frozen=True, kw_only=True)
class Trainer(ABC, Generic[B]):
    """Improves a policy on its own answers, in `epochs` passes over a rollout of so many `minibatches`.

    `auxiliary` is learned beside every minibatch: pretraining text (PPO-ptx), conversations.
    """

    optimizer: Optimizer
    epochs: int
    minibatches: int
    auxiliary: Task[B] | None = None
    shard: BatchShard = WHOLE
    """this process's part of every minibatch; all have the whole rollout"""

    def train(
        self, rollouts: ScoredRollouts, rate: Schedule, train_state: TrainState, *, updates: int, seed: int
    ) -> Iterator[Update]:
        """Does what `train_state` has still to do up to `updates`: a rollout, then its minibatches; yields each."""
        for number in train_state.steps(updates):
            step = number + train_state.skipped_batches
            scored = rollouts.batch(step, self._first_reads(rollouts.episodes, train_state, key(seed, step)))
            metrics = self.update(scored, train_state, rate=rate(number), seed=key(seed, step),
                                  first_minibatch=step * self.epochs * self.minibatches)  # fmt: skip
            yield Update(number + 1, metrics)

    @abstractmethod
    def update(
        self, scored: ScoredRollout, train_state: TrainState, *, rate: float, seed: int, first_minibatch: int = 0
    ) -> dict[str, float]:
        """Takes the optimiser steps of one rollout and returns its metrics.

        `first_minibatch` counts those of earlier updates: the auxiliary task's step of the first.
        """
        ...

    def _first_reads(self, rows: int, train_state: TrainState, seed: int) -> Iterator[Int[Tensor, "R"]]:
        """The rows that the first pass reads together, of all processes."""
        for minibatch in minibatch_rows(rows, 1, self.minibatches, seed):
            for rank in range(self.shard.ranks):
                shard = replace(self.shard, rank=rank, micro_batches=train_state.micro_batches)
                yield from (minibatch[part] for part in shard.slices(len(minibatch)))

    def steps(
        self, episodes: E, losses: Losses[E], train_state: TrainState, *, rate: float, seed: int, first: int
    ) -> Iterator[dict[str, float]]:
        """An optimiser step for each minibatch; yields what `losses` noted, and the norm of the gradient."""
        for number, rows in enumerate(minibatch_rows(episodes.rows, self.epochs, self.minibatches, seed), first):
            seen: dict[str, float] = {}
            loss = partial(self._losses, losses, number, seen)
            add_gradients(self.optimizer, loss, episodes.at(rows), train_state, self.shard)
            seen = self._of_all(seen)
            yield seen | {"gradient_norm": take_step(self.optimizer, rate, train_state)}

    def _of_all(self, seen: dict[str, float]) -> dict[str, float]:
        """What the processes saw of their parts, together."""
        parts = self.optimizer.layout.world.gather(seen)
        return {name: (max if name.endswith("_error") else sum)(part[name] for part in parts) for name in seen}

    def _losses(
        self, losses: Losses[E], step: int, seen: dict[str, float], episodes: E, shard: BatchShard
    ) -> Iterator[Tensor]:
        yield from losses(episodes, shard, seen)
        if self.auxiliary:
            yield from self.auxiliary.loss(self.auxiliary.batch(step), shard)


def minibatch_rows(count: int, epochs: int, parts: int, seed: int) -> Iterator[Int[Tensor, "R"]]:
    """The rows of every minibatch: `parts` a pass, whose sizes differ by one at most."""
    for epoch in range(epochs):
        random = torch.Generator().manual_seed(key(seed, epoch) >> 1)
        yield from torch.randperm(count, generator=random).tensor_split(parts)


def note_agreement(seen: dict[str, float], logprobs: Tensor, entropy: Tensor, old: Rollout, count: int) -> None:
    """Writes into `seen` how far the log-probabilities of now are from the sampler's and from the rollout's pass, at
    most, and the entropy, whose mean over `count` tokens adds up over micro-batches."""
    now, response_mask = logprobs.detach(), old.response_mask
    for name, then in (("first_ratio_error", old.sampled), ("repeat_error", old.logprobs)):
        seen[name] = max(seen.get(name, 0.0), float(((now - then) * response_mask).abs().max()))
    seen["entropy_nats"] = seen.get("entropy_nats", 0.0) + float(masked_mean(entropy.detach(), response_mask, count))


def surprise_gap(rollout: Rollout) -> tuple[float, float]:
    """The mean over tokens of -log π - H(π), in nats, and its standard error: 0 for what is drawn from π itself."""
    gaps = (-rollout.logprobs - rollout.entropy)[rollout.response_mask]
    return float(gaps.mean()), float(gaps.std(unbiased=False) / len(gaps) ** 0.5)


def rollout_metrics(scored: ScoredRollout) -> dict[str, float]:
    """What is noted of a rollout, whatever learns from it."""
    rollout = scored.rollout
    gap, error = surprise_gap(rollout)
    k1, k3 = kl_estimates(rollout.logprobs, scored.reference, rollout.response_mask)
    gold = {} if scored.gold is None else {"gold": float(scored.gold.mean())}
    return gold | {
        "score": float(scored.scores.mean()),
        "score_std": float(scored.scores.std(unbiased=False)),
        "kl_nats": k1,
        "kl_k3_nats": k3,
        "answer_tokens": float(rollout.response_mask.sum(1).float().mean()),
        "ended": float(rollout.ended.float().mean()),
        "surprise_gap_nats": gap,
        "surprise_gap_error": error,
    }
