"""Fresh scored rollouts for each update: what every algorithm begins with that learns from its own answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.frozen_passes import reference_logprobs
from gptwright.alignment.prompts import Prompt
from gptwright.alignment.rewards import RewardFunction
from gptwright.alignment.rollout import Rollout, ScoredRollout, collect_rollout, recompute_logprobs, rounded
from gptwright.foundations.errors import InputError
from gptwright.inference.engine import Engine
from gptwright.inference.sampler import derive_seed
from gptwright.inference.sampling import Sampling
from gptwright.models.decoder import Decoder
from gptwright.models.heads import Critic, ScalarHead
from gptwright.training.batches import epoch_order, key


@dataclass(frozen=True, kw_only=True)
class RolloutWorker:
    """Samples answers with the model's weights of now."""

    engine: Engine
    sampling: Sampling
    pad: int
    seed: int
    value_head: ScalarHead | Critic | None = None
    """whose values go into the rollout; without one they are 0"""

    def collect(self, prompts: Sequence[Sequence[int]], *salt: object, first: int = 0) -> Rollout:
        """One answer to each prompt; the random numbers are a function of the seed, `salt`, and the answer's number.

        The prompts may be a share of a list, which begins with its number `first`: whoever answers the rest.
        """
        sampling = replace(self.sampling, seed=derive_seed(key(self.seed, *salt) >> 2, first))
        return collect_rollout(self.engine, self.value_head, prompts, sampling, self.pad)


@runtime_checkable
class RolloutPool(Protocol):
    """Several who share a list of prompts."""

    def collect(self, worker: RolloutWorker, prompts: Sequence[Sequence[int]], *salt: object) -> Rollout:
        """What `worker.collect` gives, with the weights that `worker` has now."""
        ...


@dataclass(frozen=True, kw_only=True)
class ScoredRollouts:
    """`batch(step)` is a rollout of `episodes` answers with their scores and the reference's log-probabilities.

    Each prompt is answered `samples` times, a divisor of `episodes`; its answers stand side by side. Which prompts are
    answered is a pure function of the step; what is answered depends on the weights too.
    """

    worker: RolloutWorker
    prompts: Sequence[Prompt]
    episodes: int
    reward: RewardFunction
    reference: Decoder
    samples: int = 1
    gold: RewardFunction | None = None
    """a judge that is watched and not learned from"""
    pool: RolloutPool | None = None
    """who answers in the worker's place"""

    def batch(self, step: int, parts: Iterable[Tensor] | None = None) -> ScoredRollout:
        """`parts` are the rows that training will first read together: read so, its ratios begin at 1 in bfloat16 too.

        Without them all rows are read at once.
        """
        order = epoch_order(len(self.prompts), self.episodes // self.samples, step, self.worker.seed)
        prompts = [self.prompts[i] for i in order for _ in range(self.samples)]
        rollout = self.pool.collect(self.worker, prompts, step) if self.pool else self.worker.collect(prompts, step)
        rollout, reference = self._read(rollout, parts)
        try:
            scores = self.reward(rollout, prompts)
        except InputError as error:
            raise InputError(f"{error.needed} in update {step + 1}", error.got, error.remedy) from error
        gold = self.gold(rollout, prompts) if self.gold else None
        return ScoredRollout(rollout, reference, scores, gold)

    def _read(self, rollout: Rollout, parts: Iterable[Tensor] | None) -> tuple[Rollout, Float[Tensor, "B A"]]:
        """The rollout with what both models say of it, in `parts` where a token's numbers depend on them."""
        policy, temperature = self.worker.engine.network, self.worker.sampling.temperature
        if not rounded(policy):
            return rollout, reference_logprobs(self.reference, rollout, temperature)
        found = [torch.zeros_like(rollout.logprobs) for _ in range(4)]
        with torch.no_grad():
            for rows in parts or [torch.arange(len(rollout))]:
                part = rollout.rows(rows)
                mine = recompute_logprobs(policy, self.worker.value_head, part, temperature)
                theirs = recompute_logprobs(self.reference, None, part, temperature)[0]
                for whole, read in zip(found, (*mine, theirs), strict=True):
                    whole[rows] = read
        logprobs, values, entropy, reference = found
        return replace(rollout, logprobs=logprobs, values=values, entropy=entropy), reference
