"""Learning from groups of answers to one prompt: each is judged beside its siblings, and nobody guesses values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.alignment.rollout import Rollout, ScoredRollout, recompute_logprobs
from gptwright.alignment.updates import Trainer, note_agreement, rollout_metrics
from gptwright.models.decoder import Decoder
from gptwright.training.batch_shard import BatchShard
from gptwright.training.task import B
from gptwright.training.train_state import TrainState


@dataclass(frozen=True)
class Judged:
    """Answers, what the reference says of them, and how much better than its siblings each of them is."""

    rollout: Rollout
    reference: Float[Tensor, "B A"]
    advantage: Float[Tensor, "B"]

    @property
    def rows(self) -> int:
        return len(self.rollout)

    def at(self, rows: Int[Tensor, "R"]) -> "Judged":
        """Some of them."""
        return Judged(self.rollout.rows(rows), self.reference[rows], self.advantage[rows])


@runtime_checkable
class Algorithm(Protocol):
    """What GRPO and RLOO do each in its way, with `samples` answers to every prompt and the weight `beta` of the KL."""

    @property
    def samples(self) -> int: ...
    @property
    def beta(self) -> float: ...
    def advantage(self, scored: ScoredRollout) -> Float[Tensor, "B"]:
        """What each answer is worth beside its siblings."""
        ...

    def loss(self, new: Float[Tensor, "B A"], judged: Judged, count: int) -> Float[Tensor, ""]:
        """Of some of `count` answers, by their log-probabilities of now."""
        ...

    def clipped(self, new: Float[Tensor, "B A"], judged: Judged) -> Float[Tensor, "B"]:
        """The share of each answer's ratios that lie where the clip begins."""
        ...


@dataclass(frozen=True, kw_only=True)
class GroupTrainer(Trainer[B]):
    """Improves `policy` by an algorithm; `temperature` is the one the rollouts are sampled with."""

    policy: Decoder
    algorithm: Algorithm
    temperature: float

    def update(
        self, scored: ScoredRollout, train_state: TrainState, *, rate: float, seed: int, first_minibatch: int = 0
    ) -> dict[str, float]:
        judged = Judged(scored.rollout, scored.reference, self.algorithm.advantage(scored))
        equal = equal_groups(scored.scores, self.algorithm.samples)
        metrics = rollout_metrics(scored) | {"beta": self.algorithm.beta, "equal_groups": equal, "clip_fraction": 0.0}
        steps = self.steps(judged, self.losses, train_state, rate=rate, seed=seed, first=first_minibatch)
        for number, seen in enumerate(steps):
            metrics["clip_fraction"] += seen.pop("clip_fraction") / (self.epochs * self.minibatches)
            metrics["gradient_norm"] = seen.pop("gradient_norm")
            if number == 0:
                metrics |= seen
        return metrics

    def losses(self, judged: Judged, shard: BatchShard, seen: dict[str, float]) -> Iterator[Tensor]:
        """The loss of one minibatch in parts; its metrics are written into `seen`."""
        count, tokens = judged.rows, int(judged.rollout.response_mask.sum())
        seen["clip_fraction"] = 0.0
        for rows in shard.slices(count):
            part = judged.at(torch.arange(rows.start, rows.stop))
            old = part.rollout
            logprobs, _, entropy = recompute_logprobs(self.policy, None, old, self.temperature)
            note_agreement(seen, logprobs, entropy, old, tokens)
            seen["clip_fraction"] += float(self.algorithm.clipped(logprobs.detach(), part).sum()) / count
            yield self.algorithm.loss(logprobs, part, count)


def equal_groups(scores: Float[Tensor, "B"], samples: int) -> float:
    """The share of groups all of whose answers have one score: they teach nothing."""
    groups = scores.view(-1, samples)
    return float((groups == groups[:, :1]).all(1).float().mean())
