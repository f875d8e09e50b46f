"""Proximal policy optimisation on token sequences: pure functions over (episodes × tokens) tensors.

Masks are true on the tokens the policy said, finite numbers stand everywhere.
Facts: Schulman et al. 2017; Ziegler et al. 2019; Ouyang et al. 2022, eq. 2.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Tokens = Float[Tensor, "B T"]
Said = Bool[Tensor, "B T"]


def token_rewards(score: Float[Tensor, "B"], policy: Tokens, reference: Tokens, said: Said, beta: float) -> Tokens:
    """-β (log π - log π_ref) on every token, and the answer's score on its last one."""
    rewards = -beta * (policy - reference) * said
    last = said.shape[1] - 1 - said.flip(1).int().argmax(1)
    rewards[torch.arange(len(score), device=last.device), last] += score
    return rewards


def advantages(rewards: Tokens, values: Tokens, said: Said, gamma: float = 1.0, lam: float = 0.95) -> Tokens:
    """Generalised advantage estimation: Σ (γλ)^l δ_{t+l}, δ_t = r_t + γ V_{t+1} - V_t; nothing follows the last."""
    following = torch.zeros_like(rewards[:, 0])
    next_value = torch.zeros_like(following)
    result = torch.zeros_like(rewards)
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        following = (delta + gamma * lam * following) * said[:, t]
        next_value = values[:, t] * said[:, t]
        result[:, t] = following
    return result


def masked_mean(x: Tokens, said: Said, count: int | None = None) -> Float[Tensor, ""]:
    """The mean over the tokens said, or their sum over `count`: the tokens of the batch that these are a part of."""
    return (x * said).sum() / (said.sum() if count is None else count)


def whiten(x: Tokens, said: Said) -> Tokens:
    """Mean 0 and variance 1 over the tokens said (biased variance, as in OpenAI's code)."""
    mean = masked_mean(x, said)
    variance = masked_mean((x - mean) ** 2, said)
    return (x - mean) * torch.rsqrt(variance + 1e-8) * said


def policy_loss(
    new: Tokens, old: Tokens, advantage: Tokens, said: Said, count: int | None = None, clip: float = 0.2
) -> Float[Tensor, ""]:
    """Mean of -min(ρA, clip(ρ, 1 ± ε) A) over the tokens said, ρ = exp(log π_new - log π_old)."""
    ratio = torch.exp((new - old) * said)
    return masked_mean(torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip)), said, count)


def value_loss(
    new: Tokens, old: Tokens, returns: Tokens, said: Said, count: int | None = None, clip: float = 0.2
) -> Float[Tensor, ""]:
    """½ mean of max((V-R)², (clip(V, V_old ± ε) - R)²) over the tokens said."""
    near = old + (new - old).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((new - returns) ** 2, (near - returns) ** 2), said, count)


def kl_estimates(policy: Tokens, reference: Tokens, said: Said) -> tuple[float, float]:
    """KL(π ‖ π_ref) of whole answers in nats, twice: k1 = Σ -log r, k3 = Σ (r - 1) - log r ≥ 0, r = π_ref/π."""
    log_r = (reference - policy) * said
    k1 = -log_r.sum(1).mean()
    k3 = ((log_r.exp() - 1 - log_r) * said).sum(1).mean()
    return float(k1), float(k3)


def explained_variance(values: Tokens, returns: Tokens, said: Said) -> float:
    """1 - Var(R - V) / Var(R): 1 is a perfect critic, 0 one that knows nothing; 0 too where nothing varies."""
    v, r = values[said], returns[said]
    if len(r) < 2 or r.var() < 1e-8:
        return 0.0
    return float(1 - (r - v).var() / r.var())
