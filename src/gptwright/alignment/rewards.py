"""Who says how good answers are: a reward model, a program, or several of them together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.frozen_passes import score
from gptwright.alignment.prompts import Prompt
from gptwright.alignment.rollout import Rollout
from gptwright.foundations.errors import InputError
from gptwright.models.heads import RewardModel
from gptwright.text.rule_labeller import Rule, scores_of
from gptwright.tokenizers.tokenizer import Tokenizer

UNENDED_SCORE = -1.0  # of an answer that does not end, in standard deviations (Huang et al. 2024, detail 23)
LOWEST_SCORE = -20.0  # of a rule's score in a mean, so that one answer without words does not decide it

RewardFunction = Callable[[Rollout, Sequence[Prompt]], Float[Tensor, "B"]]
"""a score for every answer; the prompts stand in the rollout's order"""


@dataclass(frozen=True)
class NormalizedReward:
    """A reward model's scores in standard deviations of the reference's, so that rewards start at 0 ± 1.

    Huang et al. 2023, detail 9. An answer without an end gets the score `unended`.
    """

    model: RewardModel
    mean: float = 0.0
    std: float = 1.0
    unended: float = UNENDED_SCORE

    @classmethod
    def fitted(cls, model: RewardModel, rollout: Rollout) -> "NormalizedReward":
        """With the mean and the spread of the scores of the reference's answers."""
        scores = _finite(score(model, rollout), "the reward model")
        return cls(model, float(scores.mean()), float(scores.std(unbiased=False).clamp(min=1e-4)))

    def __call__(self, rollout: Rollout, prompts: Sequence[Prompt]) -> Float[Tensor, "B"]:
        scores = (score(self.model, rollout) - self.mean) / self.std
        return torch.where(rollout.ended, scores, torch.full_like(scores, self.unended))

    def __str__(self) -> str:
        return "the reward model"


@dataclass(frozen=True)
class ProgramReward:
    """What a rule says of each answer, but not below `LOWEST_SCORE`: a reward that can be verified."""

    rule: Rule
    tokenizer: Tokenizer

    def __call__(self, rollout: Rollout, prompts: Sequence[Prompt]) -> Float[Tensor, "B"]:
        found = scores_of(self.rule, [prompt.fields for prompt in prompts], rollout.texts(self.tokenizer))
        return torch.tensor(found, dtype=torch.float32, device=rollout.ids.device).clamp(min=LOWEST_SCORE)

    def __str__(self) -> str:
        return f"the rule {getattr(self.rule, '__name__', self.rule)}"


@dataclass(frozen=True)
class WeightedSum:
    """Several sources, each with its weight; the sum is cut to ± `limit`."""

    parts: Sequence[tuple[float, RewardFunction]]
    limit: float = inf

    def __call__(self, rollout: Rollout, prompts: Sequence[Prompt]) -> Float[Tensor, "B"]:
        """Raises `InputError` for a source one of whose scores is no finite number, naming the first prompt of such."""
        scores = [weight * _finite(reward(rollout, prompts), reward, prompts) for weight, reward in self.parts]
        return torch.stack(scores).sum(0).clamp(-self.limit, self.limit)


def _finite(scores: Float[Tensor, "B"], source: object, prompts: Sequence[Prompt] = ()) -> Float[Tensor, "B"]:
    if lost := (~scores.isfinite()).nonzero().flatten().tolist():
        where = f", the first to {prompts[lost[0]].line.where}" if prompts else ""
        raise InputError(f"finite scores from {source}", f"{len(lost)} of {len(scores)} that are not{where}",
                         "Mend what scores the answers, and give the same command.")  # fmt: skip
    return scores
