"""Learning an order from rankings (Ouyang et al. 2022, eq. 1)."""

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def better_pairs(ranks: Int[Tensor, "*B K"]) -> Bool[Tensor, "*B K K"]:
    """[i, j] is true where answer i stands before answer j; 1 is best, ties form no pair, ranks below 1 are padding."""
    real = ranks >= 1
    return (ranks[..., :, None] < ranks[..., None, :]) & real[..., :, None] & real[..., None, :]


def contested(ranks: Int[Tensor, "B K"]) -> int:
    """How many prompts have answers that do not all tie."""
    return int(better_pairs(ranks).any(-1).any(-1).sum())


def ranking_loss(
    rewards: Float[Tensor, "B K"], ranks: Int[Tensor, "B K"], count: int | None = None
) -> Float[Tensor, ""]:
    """Bradley–Terry over all pairs: mean over prompts of the mean over their pairs of -log σ(r_better - r_worse).

    The K answers of one prompt are one element of the batch, so that their correlated pairs weigh as one prompt.
    Prompts whose answers all tie carry no loss. With `count` the sum over prompts is divided by that number instead.
    """
    pairs = better_pairs(ranks)
    margins = rewards[:, :, None] - rewards[:, None, :]
    per_prompt = (F.softplus(-margins) * pairs).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
    return per_prompt.sum() / max(contested(ranks) if count is None else count, 1)


def right_pairs(
    rewards: Float[Tensor, "B K"], ranks: Int[Tensor, "B K"]
) -> tuple[Float[Tensor, "B"], Int[Tensor, "B"]]:
    """Of every prompt, the untied pairs that the rewards order rightly (equal rewards count half), and all of them."""
    pairs = better_pairs(ranks)
    margins = rewards[:, :, None] - rewards[:, None, :]
    right = (margins > 0).float() + 0.5 * (margins == 0)
    return (right * pairs).sum((1, 2)), pairs.sum((1, 2))
