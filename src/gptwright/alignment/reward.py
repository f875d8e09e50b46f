"""How a reward model learns from rankings, and the control that shows there was something to learn."""

from collections.abc import Iterator, Sequence

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
from gptwright.foundations.device import device_of, to_device
from gptwright.models.heads import RewardModel
from gptwright.objectives.ranking import contested, ranking_loss, right_pairs
from gptwright.training.batch_shard import WHOLE, BatchShard

DEALS = 32


class RewardTask(nn.Module):
    """Learns the ranks as they were given."""

    def __init__(self, model: RewardModel, items: Sequence[RankedIds], rows: int, seed: int, pad: int) -> None:
        super().__init__()
        self.model, self.items, self.rows, self.seed, self.pad = model, items, rows, seed, pad

    def losses(self, step: int, shard: BatchShard = WHOLE) -> Iterator[Tensor]:
        chosen = rankings_of_step(self.items, self.rows, step, self.seed)
        count = contested(padded_ranks(chosen))
        for rows in shard.slices(len(chosen)):
            ids, last, ranks = _sent(batch_rankings(chosen[rows], self.pad), self)
            yield ranking_loss(self.model(ids, last).view_as(ranks), ranks, count)

    @torch.inference_mode()
    def right_pairs(self, items: Sequence[RankedIds]) -> tuple[Float[Tensor, "1 B"], Int[Tensor, "B"]]:
        """Of each item, the untied pairs that are ordered rightly, and all of them."""
        states, ranks = _read_all(self.model, items, self.pad)
        right, pairs = right_pairs(self.model.head(states).view_as(ranks), ranks)
        return right[None], pairs


class ShuffledControl(nn.Module):
    """The control: heads on one trunk, each of which learns ranks that were dealt anew, so that nothing true is there.

    One shuffle says little: held-out pairs differ mostly in one way, and a head that leans there by accident is far
    from a half to either side. The mean over many heads must be a half.
    """

    def __init__(self, model: RewardModel, items: Sequence[RankedIds], rows: int, seed: int, pad: int) -> None:
        super().__init__()
        self.model, self.rows, self.seed, self.pad = model, rows, seed, pad
        self.deals = [with_shuffled_ranks(items, seed + 1000 * deal) for deal in range(DEALS)]
        self.heads = nn.Linear(model.config.width, DEALS, bias=False)
        nn.init.zeros_(self.heads.weight)

    def losses(self, step: int, shard: BatchShard = WHOLE) -> Iterator[Tensor]:
        chosen = [rankings_of_step(deal, self.rows, step, self.seed) for deal in self.deals]
        count = contested(padded_ranks(chosen[0]))
        for rows in shard.slices(self.rows):
            ids, last, _ = _sent(batch_rankings(chosen[0][rows], self.pad), self)
            dealt = (padded_ranks(deal[rows]).to(ids.device) for deal in chosen)
            rewards = self.heads(self.model.states(ids, last))
            yield torch.stack([
                ranking_loss(mine.view_as(ranks), ranks, count)
                for mine, ranks in zip(rewards.unbind(1), dealt, strict=True)
            ]).mean()  # fmt: skip

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
        ids, last, _ = _sent(batch_rankings(items[start : start + 32], pad, most), model)
        states.append(model.states(ids, last))
    return torch.cat(states), padded_ranks(items).to(device_of(model))


def _sent(batch: tuple[Tensor, Tensor, Tensor], model: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    ids, last, ranks = (to_device(part, device_of(model)) for part in batch)
    return ids, last, ranks
