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
from gptwright.models.decoder import Decoder
from gptwright.models.heads import Classifier, RewardModel
from gptwright.objectives.ranking import contested, ranking_loss, right_pairs
from gptwright.training.batch_shard import BatchShard
from gptwright.training.evaluation import Evaluation

SHUFFLES = 32


def control_of(trunk: Decoder) -> Classifier:
    """The control: many heads on one trunk, each of which learns ranks that were shuffled, so that nothing is true.

    One shuffle says little: held-out pairs differ mostly in one way, and a head that leans there by accident is far
    from a half to either side. The mean over many heads must be a half.
    """
    return Classifier(trunk, [f"shuffle {number}" for number in range(SHUFFLES)])


class RankingBatch(NamedTuple):
    """The step's prompts with their ranked answers, once for each head."""

    of_heads: list[list[RankedIds]]

    @property
    def rows(self) -> int:
        """Prompts."""
        return len(self.of_heads[0])


class HeldoutRanking(NamedTuple):
    """The prompt as text, by which pairs belong together, and its ranked answers."""

    prompt: str
    ids: RankedIds


class RewardTask(nn.Module):
    """A reward model learns the ranks as they were given, every head of a control the same ranks shuffled anew."""

    def __init__(
        self,
        model: RewardModel | Classifier,
        items: Sequence[RankedIds],
        rows: int,
        seed: int,
        pad: int,
        heldout: Sequence[HeldoutRanking] = (),
    ) -> None:
        super().__init__()
        self.model, self.rows, self.seed, self.pad, self.heldout = model, rows, seed, pad, heldout
        self.items_of_heads: list[Sequence[RankedIds]] = [items]
        if isinstance(model, Classifier):
            self.items_of_heads = [with_shuffled_ranks(items, seed + 1000 * i) for i in range(len(model.labels))]

    @property
    def typical_length(self) -> int:
        """Tokens of all answers to a prompt, on the average."""
        items = self.items_of_heads[0]
        return sum(len(ids) for item in items for ids in item.rows) // len(items)

    def batch(self, step: int) -> RankingBatch:
        return RankingBatch([rankings_of_step(items, self.rows, step, self.seed) for items in self.items_of_heads])

    def loss(self, batch: RankingBatch, shard: BatchShard) -> Iterator[Tensor]:
        first = batch.of_heads[0]
        count = contested(padded_ranks(first))
        for rows in shard.slices(batch.rows):
            ids, last, _ = _to_model(batch_rankings(first[rows], self.pad), self)
            ranks_of_heads = [padded_ranks(items[rows]).to(ids.device) for items in batch.of_heads]
            rewards = _by_head(self.model(ids, last))
            yield torch.stack([
                ranking_loss(mine.view_as(ranks), ranks, count)
                for mine, ranks in zip(rewards, ranks_of_heads, strict=True)
            ]).mean()  # fmt: skip

    def evaluate(self, step: int) -> Evaluation:
        """Share of held-out pairs that are ordered rightly; of a control the mean over its heads, whose interval is
        what their spread gives by chance."""
        right, pairs = self.right_pairs([ids for _, ids in self.heldout])
        if len(right) > 1:
            accuracy = mean((right.sum(1) / pairs.sum()).tolist())
        else:
            prompts = [prompt for prompt, _ in self.heldout]
            accuracy = share_by_group(zip(prompts, right[0].tolist(), pairs.tolist(), strict=True))
        return Evaluation(estimates={"pair_accuracy": accuracy})

    @torch.inference_mode()
    def right_pairs(self, items: Sequence[RankedIds]) -> tuple[Float[Tensor, "H B"], Int[Tensor, "B"]]:
        """Of each item, the untied pairs that every head orders rightly, and all of them; by the ranks as given."""
        states, ranks = _read_all(self.model, items, self.pad)
        found = [right_pairs(mine.view_as(ranks), ranks) for mine in _by_head(self.model.head(states))]
        return torch.stack([right for right, _ in found]), found[0][1]


def _by_head(rewards: Float[Tensor, "N *H"]) -> tuple[Float[Tensor, "N"], ...]:
    return rewards.view(len(rewards), -1).unbind(1)


def _read_all(
    model: RewardModel | Classifier, items: Sequence[RankedIds], pad: int
) -> tuple[Float[Tensor, "N C"], Tensor]:
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
