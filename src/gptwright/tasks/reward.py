"""How a reward model learns from rankings, and the control that shows there was something to learn."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.alignment.rankings import (
    RankedIds,
    batch_rankings,
    padded_ranks,
    rankings_of_step,
    with_shuffled_ranks,
)
from gptwright.evaluation.intervals import mean, share_by_group
from gptwright.foundations.device import device_of, to_device
from gptwright.models.heads import RewardModel
from gptwright.objectives.ranking import contested, ranking_loss, right_pairs
from gptwright.training.batch_shard import BatchShard
from gptwright.training.evaluation import Evaluation

SHUFFLES = 32


class RankingBatch(NamedTuple):
    """The step's prompts with their ranked answers, once for each way in which the ranks are shuffled."""

    shuffles: list[list[RankedIds]]

    @property
    def rows(self) -> int:
        """Prompts."""
        return len(self.shuffles[0])


class HeldoutRanking(NamedTuple):
    """The prompt as text, by which pairs belong together, and its ranked answers."""

    prompt: str
    ids: RankedIds


class RewardTask(nn.Module):
    """Learns the ranks as they were given."""

    def __init__(
        self,
        model: RewardModel,
        items: Sequence[RankedIds],
        rows: int,
        seed: int,
        pad: int,
        heldout: Sequence[HeldoutRanking] = (),
    ) -> None:
        super().__init__()
        self.model, self.rows, self.seed, self.pad, self.heldout = model, rows, seed, pad, heldout
        self.shuffles: list[Sequence[RankedIds]] = [items]

    @property
    def typical_length(self) -> int:
        """Tokens of all answers to a prompt, on the average."""
        items = self.shuffles[0]
        return sum(len(ids) for item in items for ids in item.rows) // len(items)

    def batch(self, step: int) -> RankingBatch:
        return RankingBatch([rankings_of_step(items, self.rows, step, self.seed) for items in self.shuffles])

    def loss(self, batch: RankingBatch, shard: BatchShard) -> Iterator[Tensor]:
        chosen = batch.shuffles[0]
        count = contested(padded_ranks(chosen))
        for rows in shard.slices(batch.rows):
            ids, last, ranks = _to_model(batch_rankings(chosen[rows], self.pad), self)
            yield ranking_loss(self.model(ids, last).view_as(ranks), ranks, count)

    def evaluate(self, step: int) -> Evaluation:
        """Share of held-out pairs that are ordered rightly."""
        right, pairs = self.right_pairs([ids for _, ids in self.heldout])
        prompts = [prompt for prompt, _ in self.heldout]
        accuracy = share_by_group(zip(prompts, right[0].tolist(), pairs.tolist(), strict=True))
        return Evaluation(estimates={"pair_accuracy": accuracy})

    @torch.inference_mode()
    def right_pairs(self, items: Sequence[RankedIds]) -> tuple[Float[Tensor, "1 B"], Int[Tensor, "B"]]:
        """Of each item, the untied pairs that are ordered rightly, and all of them."""
        states, ranks = _read_all(self.model, items, self.pad)
        right, pairs = right_pairs(self.model.head(states).view_as(ranks), ranks)
        return right[None], pairs


class ShuffledControl(RewardTask):
    """The control: many heads on one trunk, each of which learns ranks that were shuffled, so that nothing is true.

    One shuffle says little: held-out pairs differ mostly in one way, and a head that leans there by accident is far
    from a half to either side. The mean over many heads must be a half.
    """

    def __init__(
        self,
        model: RewardModel,
        items: Sequence[RankedIds],
        rows: int,
        seed: int,
        pad: int,
        heldout: Sequence[HeldoutRanking] = (),
    ) -> None:
        super().__init__(model, items, rows, seed, pad, heldout)
        self.shuffles = [with_shuffled_ranks(items, seed + 1000 * number) for number in range(SHUFFLES)]
        self.heads = nn.Linear(model.config.width, SHUFFLES, bias=False)
        nn.init.zeros_(self.heads.weight)

    def loss(self, batch: RankingBatch, shard: BatchShard) -> Iterator[Tensor]:
        count = contested(padded_ranks(batch.shuffles[0]))
        for rows in shard.slices(batch.rows):
            ids, last, _ = _to_model(batch_rankings(batch.shuffles[0][rows], self.pad), self)
            shuffled = (padded_ranks(items[rows]).to(ids.device) for items in batch.shuffles)
            rewards = self.heads(self.model.states(ids, last))
            yield torch.stack([
                ranking_loss(mine.view_as(ranks), ranks, count)
                for mine, ranks in zip(rewards.unbind(1), shuffled, strict=True)
            ]).mean()  # fmt: skip

    def evaluate(self, step: int) -> Evaluation:
        """The mean share over the heads; its interval is what their spread gives by chance."""
        right, pairs = self.right_pairs([ids for _, ids in self.heldout])
        return Evaluation(estimates={"pair_accuracy": mean((right.sum(1) / pairs.sum()).tolist())})

    @torch.inference_mode()
    def right_pairs(self, items: Sequence[RankedIds]) -> tuple[Float[Tensor, "H B"], Int[Tensor, "B"]]:
        """The same for every head, judged by the true ranks."""
        states, ranks = _read_all(self.model, items, self.pad)
        found = [right_pairs(mine.view_as(ranks), ranks) for mine in self.heads(states).unbind(1)]
        return torch.stack([right for right, _ in found]), found[0][1]


def _read_all(model: RewardModel, items: Sequence[RankedIds], pad: int) -> tuple[Float[Tensor, "N C"], Tensor]:
    """The last state of every answer, and all ranks, 32 prompts at a time."""
    most = max(len(item.rows) for item in items)
    states: list[Tensor] = []
    for start in range(0, len(items), 32):
        ids, last, _ = _to_model(batch_rankings(items[start : start + 32], pad, most), model)
        states.append(model.states(ids, last))
    return torch.cat(states), padded_ranks(items).to(device_of(model))


def _to_model(batch: tuple[Tensor, Tensor, Tensor], model: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    ids, last, ranks = (to_device(part, device_of(model)) for part in batch)
    return ids, last, ranks
