"""Fresh scored rollouts for each update: what every algorithm begins with that learns from its own answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.rollout import Rollout, ScoredRollout, collect_rollout, recompute_logprobs, score
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.decoder import Decoder
from gptwright.models.heads import RewardModel, ScalarHead
from gptwright.training.batches import epoch_order, key

NOT_ENDED = -1.0  # score, in standard deviations, of an answer that does not end (Huang et al. 2024, detail 23)

RewardFunction = Callable[[Rollout], Float[Tensor, "B"]]
"""a score for every answer"""


@dataclass(frozen=True, kw_only=True)
class RolloutWorker:
    """Samples answers with the model's weights of now."""

    engine: Engine
    sampling: Sampling
    pad: int
    seed: int
    value_head: ScalarHead | None = None
    """whose values go into the rollout; without one they are 0"""

    def collect(self, prompts: Sequence[Sequence[int]], *salt: object) -> Rollout:
        """One answer to each prompt; the random numbers are a function of the seed and `salt`."""
        sampling = replace(self.sampling, seed=key(self.seed, *salt) >> 2)
        return collect_rollout(self.engine, self.value_head, prompts, sampling, self.pad)


@dataclass(frozen=True, kw_only=True)
class ScoredRollouts:
    """`batch(step)` is a rollout of `episodes` answers with their scores and the reference's log-probabilities.

    Which prompts are answered is a pure function of the step; what is answered depends on the weights too.
    """

    worker: RolloutWorker
    prompts: Sequence[Sequence[int]]
    episodes: int
    reward: RewardFunction
    reference: Decoder

    def batch(self, step: int) -> ScoredRollout:
        order = epoch_order(len(self.prompts), self.episodes, step, self.worker.seed)
        rollout = self.worker.collect([self.prompts[i] for i in order], step)
        with torch.no_grad():
            reference, _, _ = recompute_logprobs(self.reference, None, rollout, self.worker.sampling.temperature)
        return ScoredRollout(rollout, reference, self.reward(rollout))


@dataclass(frozen=True)
class NormalizedReward:
    """A reward model's scores in standard deviations of the reference's, so that rewards start at 0 ± 1.

    Huang et al. 2023, detail 9. An answer without an end gets a fixed score.
    """

    model: RewardModel
    mean: float
    std: float

    @classmethod
    def fitted(cls, model: RewardModel, rollout: Rollout) -> "NormalizedReward":
        """With the mean and the spread of the scores of the reference's answers."""
        scores = score(model, rollout)
        return cls(model, float(scores.mean()), float(scores.std(unbiased=False).clamp(min=1e-4)))

    def __call__(self, rollout: Rollout) -> Float[Tensor, "B"]:
        scores = (score(self.model, rollout) - self.mean) / self.std
        return torch.where(rollout.ended, scores, torch.full_like(scores, NOT_ENDED))
