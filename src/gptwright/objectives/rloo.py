"""REINFORCE with the other answers as baseline (Kool et al. 2019; Ahmadian et al. 2024): a whole answer is one move."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Tokens = Float[Tensor, "B T"]
Mask = Bool[Tensor, "B T"]


def penalised(
    scores: Float[Tensor, "B"], policy: Tokens, reference: Tokens, response_mask: Mask, beta: float
) -> Float[Tensor, "B"]:
    """score - β Σ (log π - log π_ref) of every answer."""
    return scores - beta * ((policy - reference) * response_mask).sum(1)


def leave_one_out(rewards: Float[Tensor, "B"], samples: int) -> Float[Tensor, "B"]:
    """What each answer's reward is above the mean of the others to its prompt, `samples` of which follow each other."""
    groups = rewards.view(-1, samples)
    others = (groups.sum(1, keepdim=True) - groups) / (samples - 1)
    return (groups - others).flatten()


def rloo_loss(
    new: Tokens,
    old: Tokens,
    advantage: Float[Tensor, "B"],
    response_mask: Mask,
    *,
    count: int | None = None,
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    """Mean over answers of -min(ρA, clip(ρ, 1 ± ε) A), ρ = π(y) / π_old(y) of whole answers.

    Where both are one policy its gradient is REINFORCE's, -A ∇ log π(y). With `count` the sum over answers is divided
    by that number instead.
    """
    ratio = torch.exp(((new - old) * response_mask).sum(1))
    gain = torch.minimum(advantage * ratio, advantage * ratio.clamp(1 - clip, 1 + clip))
    return -gain.sum() / (len(new) if count is None else count)
