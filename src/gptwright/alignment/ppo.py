"""PPO on answers (Ouyang et al. 2022, §3.5 step 3): one update from a rollout, top to bottom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.alignment.rollout import Judged, Rollout, read_again
from gptwright.models.heads import PolicyAndValue
from gptwright.objectives import ppo as objective
from gptwright.training.batch_shard import Share
from gptwright.training.batches import key
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import Course
from gptwright.training.train_step import add_gradients, take_step


@dataclass(frozen=True, kw_only=True)
class Update:
    """Settings of one update."""

    beta: float
    """weight of the KL to the reference in the reward"""
    epochs: int
    """passes over the rollout"""
    minibatches: int
    """parts of one pass"""
    value_weight: float
    """weight of the value loss"""
    temperature: float
    """the one the rollout was sampled with"""


@dataclass(frozen=True)
class Episodes:
    """A rollout with what is to be learned from it."""

    rollout: Rollout
    advantage: Float[Tensor, "B A"]
    returns: Float[Tensor, "B A"]

    def at(self, rows: Int[Tensor, "R"]) -> "Episodes":
        """Some of them."""
        return Episodes(self.rollout.rows(rows), self.advantage[rows], self.returns[rows])


def update(
    agent: PolicyAndValue,
    optimizer: Optimizer,
    course: Course,
    judged: Judged,
    settings: Update,
    *,
    rate: float,
    seed: int,
    also: Callable[[int, Share], Iterator[Tensor]] = lambda number, share: iter(()),
) -> dict[str, float]:
    """Improves the policy on its own episodes and returns what can go wrong, as numbers.

    `also` gives further losses for each minibatch and share: pretraining text (PPO-ptx), conversations.
    """
    rollout, said = judged.rollout, judged.rollout.said
    rewards = objective.token_rewards(judged.scores, rollout.logprobs, judged.reference, said, settings.beta)
    advantage = objective.advantages(rewards, rollout.values, said)
    returns = advantage + rollout.values
    episodes = Episodes(rollout, objective.whiten(advantage, said), returns)
    figures = _about(judged, returns)

    def everything(number: int, minibatch: Episodes, seen: dict[str, float]) -> Callable[[Share], Iterator[Tensor]]:
        return lambda share: chain(losses(agent, minibatch, settings, share, seen), also(number, share))

    for number, rows in enumerate(_minibatches(len(rollout), settings, seed)):
        seen: dict[str, float] = {}
        add_gradients(optimizer, everything(number, episodes.at(rows), seen), course)
        figures["gradient_norm"] = take_step(optimizer, rate, course)
        figures["value_loss"] = seen.pop("value_loss")
        if number == 0:
            figures |= seen
    return figures


def losses(
    agent: PolicyAndValue, episodes: Episodes, settings: Update, share: Share, seen: dict[str, float]
) -> Iterator[Tensor]:
    """The loss of one minibatch in parts, one a piece of `share`; writes into `seen` what went by."""
    count = int(episodes.rollout.said.sum())
    seen |= {"first_ratio_error": 0.0, "entropy_nats": 0.0, "value_loss": 0.0}
    for rows in share.slices(len(episodes.rollout)):
        part = episodes.at(torch.arange(rows.start, rows.stop))
        then, said = part.rollout, part.rollout.said
        logprobs, values, entropy = read_again(agent.policy, agent.value, then, settings.temperature)
        error = float(((logprobs.detach() - then.sampled) * said).abs().max())
        seen["first_ratio_error"] = max(seen["first_ratio_error"], error)
        seen["entropy_nats"] += float(objective.masked_mean(entropy.detach(), said, count))
        policy_loss = objective.policy_loss(logprobs, then.logprobs, part.advantage, said, count)
        value_loss = objective.value_loss(values, then.values, part.returns, said, count)
        seen["value_loss"] += float(value_loss.detach())
        yield policy_loss + settings.value_weight * value_loss


def _about(judged: Judged, returns: Tensor) -> dict[str, float]:
    rollout = judged.rollout
    k1, k3 = objective.kl_estimates(rollout.logprobs, judged.reference, rollout.said)
    return {
        "score": float(judged.scores.mean()),
        "kl_nats": k1,
        "kl_k3_nats": k3,
        "answer_tokens": float(rollout.said.sum(1).float().mean()),
        "ended": float(rollout.ended.float().mean()),
        "explained_variance": objective.explained_variance(rollout.values, returns, rollout.said),
    }


def _minibatches(count: int, settings: Update, seed: int) -> Iterator[Tensor]:
    """As many parts a pass as the settings say, whose sizes differ by one at most."""
    for epoch in range(settings.epochs):
        random = torch.Generator().manual_seed(key(seed, epoch) >> 1)
        yield from torch.randperm(count, generator=random).tensor_split(settings.minibatches)
