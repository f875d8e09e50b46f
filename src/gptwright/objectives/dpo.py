"""Direct preference optimisation (Rafailov et al. 2023): the policy is its own reward model."""

from functools import partial

from jaxtyping import Float, Int
from torch import Tensor

from gptwright.objectives.ranking import bradley_terry, ranking_loss


def implicit_rewards(policy: Float[Tensor, "*B"], reference: Float[Tensor, "*B"], beta: float) -> Float[Tensor, "*B"]:
    """β log(π / π_ref) of whole answers (eq. 5), from their log-probabilities in nats; what all answers to a prompt
    share is left out, for it falls out of every pair."""
    return beta * (policy - reference)


def dpo_loss(
    rewards: Float[Tensor, "B K"], ranks: Int[Tensor, "B K"], smoothing: float = 0.0, total: float | None = None
) -> Float[Tensor, ""]:
    """Bradley–Terry's loss of implicit rewards (eq. 7), with `smoothing` ε as the share of pairs thought to be ranked
    wrongly (Mitchell 2023). `total` is as in `ranking_loss`."""
    return ranking_loss(rewards, ranks, partial(bradley_terry, noise=smoothing), total=total)
