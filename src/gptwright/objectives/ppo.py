"""Proximal policy optimisation on token sequences: pure functions over (episodes × tokens) tensors.

Masks are true on the tokens of the responses; padding holds finite numbers.
Facts: Schulman et al. 2017; Ziegler et al. 2019; Ouyang et al. 2022, eq. 2.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Tokens = Float[Tensor, "B T"]
Mask = Bool[Tensor, "B T"]


def token_rewards(
    score: Float[Tensor, "B"], policy: Tokens, reference: Tokens, response_mask: Mask, beta: float, kl: str = "k1"
) -> Tokens:
    """-β times the estimate `kl` of the KL (see `kl_estimates`) on every token, and the answer's score on its last."""
    penalty = policy - reference if kl == "k1" else _k3((reference - policy) * response_mask)
    rewards = -beta * penalty * response_mask
    last = response_mask.shape[1] - 1 - response_mask.flip(1).int().argmax(1)
    rewards[torch.arange(len(score), device=last.device), last] += score
    return rewards


def advantages(rewards: Tokens, values: Tokens, response_mask: Mask, gamma: float = 1.0, lam: float = 0.95) -> Tokens:
    """Generalised advantage estimation: Σ (γλ)^l δ_{t+l}, δ_t = r_t + γ V_{t+1} - V_t; nothing follows the last."""
    following = torch.zeros_like(rewards[:, 0])
    next_value = torch.zeros_like(following)
    result = torch.zeros_like(rewards)
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        following = (delta + gamma * lam * following) * response_mask[:, t]
        next_value = values[:, t] * response_mask[:, t]
        result[:, t] = following
    return result


def masked_mean(x: Tokens, response_mask: Mask, count: int | None = None) -> Float[Tensor, ""]:
    """The mean over the response tokens, or their sum over `count`, the response tokens of the whole batch."""
    return (x * response_mask).sum() / (response_mask.sum() if count is None else count)


def whiten(x: Tokens, response_mask: Mask, *, shift: bool = True) -> Tokens:
    """Mean 0, or without `shift` the mean there was, and variance 1 over the response tokens.

    The variance is biased, as in OpenAI's code.
    """
    mean = masked_mean(x, response_mask)
    variance = masked_mean((x - mean) ** 2, response_mask)
    white = (x - mean) * torch.rsqrt(variance + 1e-8)
    return (white if shift else white + mean) * response_mask


def policy_loss(
    new: Tokens, old: Tokens, advantage: Tokens, response_mask: Mask, count: int | None = None, clip: float = 0.2
) -> Float[Tensor, ""]:
    """Mean of -min(ρA, clip(ρ, 1 ± ε) A) over the response tokens, ρ = exp(log π_new - log π_old)."""
    ratio = torch.exp((new - old) * response_mask)
    return masked_mean(
        torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip)), response_mask, count
    )


def value_loss(
    new: Tokens, old: Tokens, returns: Tokens, response_mask: Mask, count: int | None = None, clip: float = 0.2
) -> Float[Tensor, ""]:
    """½ mean of max((V-R)², (clip(V, V_old ± ε) - R)²) over the response tokens."""
    near = old + (new - old).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((new - returns) ** 2, (near - returns) ** 2), response_mask, count)


def kl_estimates(policy: Tokens, reference: Tokens, response_mask: Mask) -> tuple[float, float]:
    """KL(π ‖ π_ref) of whole answers in nats, twice: k1 = Σ -log r, k3 = Σ (r - 1) - log r ≥ 0, r = π_ref/π."""
    log_r = (reference - policy) * response_mask
    k1 = -log_r.sum(1).mean()
    k3 = (_k3(log_r) * response_mask).sum(1).mean()
    return float(k1), float(k3)


def _k3(log_r: Tokens) -> Tokens:
    return log_r.exp() - 1 - log_r


def adapted_beta(beta: float, kl: float, target: float, episodes: int, horizon: int) -> float:
    """The β after a rollout whose answers were `kl` nats away: more of it above the target, less below.

    Ziegler et al. 2019, §2.2: β (1 + e n / horizon), e = clip(KL / target - 1, ± 0.2).
    """
    return beta * (1 + min(max(kl / target - 1, -0.2), 0.2) * episodes / horizon)


def explained_variance(values: Tokens, returns: Tokens, response_mask: Mask) -> float:
    """1 - Var(R - V) / Var(R): 1 is a perfect critic, 0 one that knows nothing; 0 too where nothing varies."""
    v, r = values[response_mask], returns[response_mask]
    if len(r) < 2 or r.var() < 1e-8:
        return 0.0
    return float(1 - (r - v).var() / r.var())
