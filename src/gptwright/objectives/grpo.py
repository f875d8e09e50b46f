"""Group-relative policy optimisation (Shao et al. 2024, §4.1): an answer is worth what it is beside its siblings."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Tokens = Float[Tensor, "B T"]
Mask = Bool[Tensor, "B T"]
SMALLEST = 1e-4  # beside the spread, so that a group of equal scores gives 0


def group_advantages(scores: Float[Tensor, "B"], samples: int) -> Float[Tensor, "B"]:
    """(score - mean) / (spread + 1e-4) within every `samples` answers that follow each other: one prompt's."""
    groups = scores.view(-1, samples)
    spread = groups.std(1, keepdim=True)
    return ((groups - groups.mean(1, keepdim=True)) / (spread + SMALLEST)).flatten()


def grpo_loss(
    new: Tokens,
    old: Tokens,
    reference: Tokens,
    advantage: Float[Tensor, "B"],
    response_mask: Mask,
    *,
    beta: float,
    count: int | None = None,
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    """Mean over answers of the mean over their tokens of -min(ρA, clip(ρ, 1 ± ε) A) + β k3 (eq. 3 and 4).

    k3 = π_ref/π - log(π_ref/π) - 1 ≥ 0, whose gradient the policy gets. With `count` the sum over answers is divided
    by that number instead.
    """
    ratio = torch.exp((new - old) * response_mask)
    gain = torch.minimum(advantage[:, None] * ratio, advantage[:, None] * ratio.clamp(1 - clip, 1 + clip))
    log_r = (reference - new) * response_mask
    per_token = (beta * (log_r.exp() - log_r - 1) - gain) * response_mask
    per_answer = per_token.sum(1) / response_mask.sum(1).clamp(min=1)
    return per_answer.sum() / (len(new) if count is None else count)
