"""Learning an order from rankings: the answers of a prompt are one element of the batch, so that their correlated pairs
weigh as one prompt.

`rewards` and `ranks` are (B, K): 1 is best, equal ranks tie and teach nothing of each other, ranks below 1 are padding.
Only the order of ranks counts, not how they are numbered.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

PromptLoss = Callable[[Float[Tensor, "B K"], Int[Tensor, "B K"]], Float[Tensor, "B"]]
"""A loss for each prompt; 0 where all its answers tie."""
PairWeights = Callable[[Float[Tensor, "B K"], Bool[Tensor, "B K K"]], Float[Tensor, "B K K"]]


def better_pairs(ranks: Int[Tensor, "*B K"]) -> Bool[Tensor, "*B K K"]:
    """[i, j] is true where answer i stands before answer j; ties and padding form no pair."""
    real = ranks >= 1
    return (ranks[..., :, None] < ranks[..., None, :]) & real[..., :, None] & real[..., None, :]


def contested(ranks: Int[Tensor, "B K"]) -> Bool[Tensor, "B"]:
    """Whether a prompt has answers that do not all tie."""
    return better_pairs(ranks).any(-1).any(-1)


def ranking_loss(
    rewards: Float[Tensor, "B K"],
    ranks: Int[Tensor, "B K"],
    loss: PromptLoss | None = None,
    weights: Float[Tensor, "B"] | None = None,
    total: float | None = None,
) -> Float[Tensor, ""]:
    """The mean over prompts that are contested, by `weights` if given. Without a `loss` it is Bradley–Terry's.

    With `total` the sum over prompts is divided by that number instead.
    """
    per_prompt = (loss or bradley_terry)(rewards, ranks)
    weights = rewards.new_ones(len(ranks)) if weights is None else weights
    whole = float((weights * contested(ranks)).sum()) if total is None else total
    return (per_prompt * weights).sum() / (whole or 1.0)


def bradley_terry(
    rewards: Float[Tensor, "B K"],
    ranks: Int[Tensor, "B K"],
    noise: float = 0.0,
    weigh: PairWeights | None = None,
    share: float = 0.0,
) -> Float[Tensor, "B"]:
    """Mean over a prompt's pairs of -log σ(r_better - r_worse) (Ouyang et al. 2022, eq. 1).

    With `noise` ε a pair is taken to be labelled wrongly so often: (1 - ε) · that + ε · the same the other way round.
    `weigh` weighs the pairs, in a prompt by 1 on the average; `share` of the whole stays unweighted.
    """
    pairs = better_pairs(ranks)
    margins = rewards[:, :, None] - rewards[:, None, :]
    losses = F.softplus(-margins)
    if noise:
        losses = (1 - noise) * losses + noise * F.softplus(margins)
    count = pairs.sum((1, 2)).clamp(min=1)
    if weigh is None:
        return (losses * pairs).sum((1, 2)) / count
    weights = weigh(rewards.detach(), pairs) * pairs
    scale = count / weights.sum((1, 2)).clamp(min=1e-12)
    return (losses * (share + (1 - share) * weights * scale[:, None, None]) * pairs).sum((1, 2)) / count


def lambdarank(rewards: Float[Tensor, "B K"], pairs: Bool[Tensor, "B K K"]) -> Float[Tensor, "B K K"]:
    """How much NDCG changes when the two answers swap places (Burges 2010, §6), up to a factor of the prompt."""
    discounts = 1 / (1 + places(rewards, pairs)).log2()
    return _gain_gaps(pairs) * (discounts[:, :, None] - discounts[:, None, :]).abs()


def lambdaloss(rewards: Float[Tensor, "B K"], pairs: Bool[Tensor, "B K K"]) -> Float[Tensor, "B K K"]:
    """NDCG-Loss2 (Wang et al. 2018, eq. 17): the discount is of how far apart the two stand, not of where."""
    here = places(rewards, pairs)
    apart = (here[:, :, None] - here[:, None, :]).abs().clamp(min=1)
    return _gain_gaps(pairs) * (1 / (1 + apart).log2() - 1 / (2 + apart).log2())


def plackett_luce(rewards: Float[Tensor, "B K"], ranks: Int[Tensor, "B K"]) -> Float[Tensor, "B"]:
    """The best is chosen among all, then the best of the rest (ListMLE, Xia et al. 2008): mean of -log of each choice.

    An answer is chosen over those that it is better than: of two that tie neither is.
    """
    pairs = better_pairs(ranks)
    rivals = pairs | torch.eye(ranks.shape[1], dtype=torch.bool, device=ranks.device)
    logs = rewards[:, None, :].masked_fill(~rivals, float("-inf")).logsumexp(-1) - rewards
    choices = pairs.any(-1)
    return (logs * choices).sum(1) / choices.sum(1).clamp(min=1)


PAIR_WEIGHTS: dict[str, PairWeights] = {"lambdarank": lambdarank, "lambdaloss": lambdaloss}
LOSSES = ("bradley-terry", *PAIR_WEIGHTS, "plackett-luce")


def prompt_loss(name: str, noise: float = 0.0, share: float = 0.5) -> PromptLoss:
    """One of `LOSSES`; of the two that weigh pairs, `share` is Bradley–Terry's part. Plackett–Luce takes no noise."""
    if name == "plackett-luce":
        return plackett_luce
    return partial(bradley_terry, noise=noise, weigh=PAIR_WEIGHTS.get(name), share=share)


def places(rewards: Float[Tensor, "B K"], pairs: Bool[Tensor, "B K K"]) -> Float[Tensor, "B K"]:
    """Where the rewards put each answer, 1 first. Of equal rewards the worse answer stands first, as if all were wrong;
    answers that tie in both share the mean of their places."""
    above = rewards[:, None, :] > rewards[:, :, None]
    equal = rewards[:, None, :] == rewards[:, :, None]
    alike = equal & ~pairs & ~pairs.mT
    real = (pairs | pairs.mT).any(-1)[:, None, :]  # what is in no pair moves nobody who is
    return 1 + ((above | equal & pairs) & real).sum(-1) + ((alike & real).sum(-1) - 1).clamp(min=0) / 2


def grades(pairs: Bool[Tensor, "B K K"]) -> Int[Tensor, "B K"]:
    """The gain of each answer: how many others it is better than."""
    return pairs.sum(-1)


def right_pairs(
    rewards: Float[Tensor, "B K"], ranks: Int[Tensor, "B K"]
) -> tuple[Float[Tensor, "B"], Int[Tensor, "B"]]:
    """Of every prompt, the untied pairs that the rewards order rightly (equal rewards count half), and all of them."""
    pairs = better_pairs(ranks)
    margins = rewards[:, :, None] - rewards[:, None, :]
    right = (margins > 0).float() + 0.5 * (margins == 0)
    return (right * pairs).sum((1, 2)), pairs.sum((1, 2))


def _gain_gaps(pairs: Bool[Tensor, "B K K"]) -> Float[Tensor, "B K K"]:
    gains = grades(pairs).float()
    return (gains[:, :, None] - gains[:, None, :]).abs()
