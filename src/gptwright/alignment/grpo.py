"""GRPO (Shao et al. 2024): advantages normalised within a prompt's answers, the KL to the reference in the loss."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.groups import Judged
from gptwright.alignment.rollout import ScoredRollout
from gptwright.objectives.grpo import group_advantages, grpo_loss


@dataclass(frozen=True, kw_only=True)
class GRPO:
    """Answers to a prompt, weight of the KL in the loss, and how far the ratio of a token may be from 1."""

    samples: int
    beta: float
    clip: float = 0.2

    def advantage(self, scored: ScoredRollout) -> Float[Tensor, "B"]:
        return group_advantages(scored.scores, self.samples)

    def loss(self, new: Float[Tensor, "B A"], judged: Judged, count: int) -> Float[Tensor, ""]:
        old = judged.rollout
        return grpo_loss(new, old.logprobs, judged.reference, judged.advantage, old.response_mask, beta=self.beta,
                         count=count, clip=self.clip)  # fmt: skip

    def clipped(self, new: Float[Tensor, "B A"], judged: Judged) -> Float[Tensor, "B"]:
        response_mask = judged.rollout.response_mask
        far = ((new - judged.rollout.logprobs).exp() - 1).abs() > self.clip
        return (far & response_mask).sum(1) / response_mask.sum(1)
