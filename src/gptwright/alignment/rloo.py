"""RLOO (Ahmadian et al. 2024): the others' mean is the baseline, the KL is in the reward, the answer is one move."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.groups import Judged
from gptwright.alignment.rollout import ScoredRollout
from gptwright.objectives.rloo import leave_one_out, penalised, rloo_loss


@dataclass(frozen=True, kw_only=True)
class RLOO:
    """Answers to a prompt, weight of the KL in the reward, and how far the ratio of an answer may be from 1."""

    samples: int
    beta: float
    clip: float = 0.2

    def advantage(self, scored: ScoredRollout) -> Float[Tensor, "B"]:
        rollout = scored.rollout
        rewards = penalised(scored.scores, rollout.logprobs, scored.reference, rollout.response_mask, self.beta)
        return leave_one_out(rewards, self.samples)

    def loss(self, new: Float[Tensor, "B A"], judged: Judged, count: int) -> Float[Tensor, ""]:
        old = judged.rollout
        return rloo_loss(new, old.logprobs, judged.advantage, old.response_mask, count=count, clip=self.clip)

    def clipped(self, new: Float[Tensor, "B A"], judged: Judged) -> Float[Tensor, "B"]:
        ratio = ((new - judged.rollout.logprobs) * judged.rollout.response_mask).sum(1).exp()
        return ((ratio - 1).abs() > self.clip).float()
