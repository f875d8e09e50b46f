"""Direct preference optimisation (Rafailov et al. 2023): the policy is its own reward model."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.objectives.ranking import better_pairs, contested


def implicit_rewards(policy: Float[Tensor, "*B"], reference: Float[Tensor, "*B"], beta: float) -> Float[Tensor, "*B"]:
    """β log(π / π_ref) of whole answers (eq. 5), from their log-probabilities in nats; what all answers to a prompt
    share is left out, for it falls out of every pair."""
    return beta * (policy - reference)


def dpo_loss(
    rewards: Float[Tensor, "B K"], ranks: Int[Tensor, "B K"], smoothing: float = 0.0, count: int | None = None
) -> Float[Tensor, ""]:
    """Mean over prompts of the mean over their pairs of -(1 - ε) log σ(m) - ε log σ(-m), m = r_better - r_worse
    (eq. 7; ε: the share of pairs thought to be ranked wrongly, Mitchell 2023).

    Ranks as `better_pairs` reads them. Prompts without a pair carry no loss. With `count` the sum over prompts is
    divided by that number instead.
    """
    pairs = better_pairs(ranks)
    margins = rewards[:, :, None] - rewards[:, None, :]
    nats = F.softplus(-margins) + smoothing * margins  # for log σ(m) = log σ(-m) + m
    per_prompt = (nats * pairs).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
    return per_prompt.sum() / max(int(contested(ranks).sum()) if count is None else count, 1)
