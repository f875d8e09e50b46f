"""How a reward model learns from rankings, and the control that shows there was something to learn."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.alignment.answer_batch import AnswerBatch, by_prompt, common_lengths, states_of_all
from gptwright.alignment.rankings import RankedIds, padded_ranks, rankings_of_step, with_shuffled_ranks
from gptwright.evaluation.intervals import mean
from gptwright.evaluation.ranking_metrics import ScoredAnswers, evaluate_ranking
from gptwright.foundations.device import device_of
from gptwright.models.decoder import Decoder
from gptwright.models.heads import Classifier, RewardModel
from gptwright.objectives.ranking import PromptLoss, bradley_terry, contested, ranking_loss, right_pairs
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
        prompt_loss: PromptLoss = bradley_terry,
    ) -> None:
        super().__init__()
        self.model, self.rows, self.seed, self.pad, self.heldout = model, rows, seed, pad, heldout
        self.prompt_loss = prompt_loss
        self.items_of_heads: list[Sequence[RankedIds]] = [items]
        if isinstance(model, Classifier):
            self.items_of_heads = [with_shuffled_ranks(items, seed + 1000 * i) for i in range(len(model.labels))]

    @property
    def typical_length(self) -> int:
        """Tokens of a prompt with all its answers, on the average."""
        items = self.items_of_heads[0]
        shared = zip(items, common_lengths(items), strict=True)
        return sum(common + sum(len(ids) - common for ids in item.rows) for item, common in shared) // len(items)

    def batch(self, step: int) -> RankingBatch:
        return RankingBatch([rankings_of_step(items, self.rows, step, self.seed) for items in self.items_of_heads])

    def loss(self, batch: RankingBatch, shard: BatchShard) -> Iterator[Tensor]:
        first = batch.of_heads[0]
        weights = torch.tensor([item.weight for item in first])
        total = float((weights * contested(padded_ranks(first))).sum())
        for rows in shard.slices(batch.rows):
            answers = AnswerBatch.of_items(first[rows], self.pad).to(device_of(self))
            ranks_of_heads = [padded_ranks(items[rows]).to(answers.last.device) for items in batch.of_heads]
            rewards, mine = _by_head(self.model.head(answers.states(self.model))), weights[rows].to(answers.last.device)
            yield torch.stack([
                ranking_loss(by_prompt(of_head, ranks), ranks, self.prompt_loss, mine, total)
                for of_head, ranks in zip(rewards, ranks_of_heads, strict=True)
            ]).mean()  # fmt: skip

    def evaluate(self, step: int) -> Evaluation:
        """How well held-out answers are ordered; of a control the mean share of right pairs over its heads, whose
        interval is what their spread gives by chance."""
        items = [ids for _, ids in self.heldout]
        if isinstance(self.model, Classifier):
            right, pairs = self.right_pairs(items)
            return Evaluation(estimates={"pair_accuracy": mean((right.sum(1) / pairs.sum()).tolist())})
        scores = iter(self.rewards(items)[0].tolist())
        found = (
            ScoredAnswers(prompt, [next(scores) for _ in ids.rows], ids.ranks, [len(row) - common for row in ids.rows])
            for (prompt, ids), common in zip(self.heldout, common_lengths(items), strict=True)
        )
        return evaluate_ranking([*found])

    def right_pairs(self, items: Sequence[RankedIds]) -> tuple[Float[Tensor, "H B"], Int[Tensor, "B"]]:
        """Of each item, the untied pairs that every head orders rightly, and all of them; by the ranks as given."""
        rewards = self.rewards(items)
        ranks = padded_ranks(items).to(rewards.device)
        found = [right_pairs(by_prompt(mine, ranks), ranks) for mine in rewards]
        return torch.stack([right for right, _ in found]), found[0][1]

    @torch.inference_mode()
    def rewards(self, items: Sequence[RankedIds]) -> Float[Tensor, "H N"]:
        """What every head says of all answers to all prompts: one number where none has learned yet, and nothing is
        read."""
        heads = self.model.head.score.weight
        if not heads.any():
            return heads.new_zeros(len(heads), sum(len(item.rows) for item in items), dtype=torch.float32)
        return torch.stack(_by_head(self.model.head(states_of_all(self.model, items, self.pad))))


def _by_head(rewards: Float[Tensor, "N *H"]) -> tuple[Float[Tensor, "N"], ...]:
    return rewards.view(len(rewards), -1).unbind(1)
