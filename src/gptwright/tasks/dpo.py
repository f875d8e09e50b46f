"""How a policy learns from rankings directly: its own log-probabilities, beside the reference's, are the rewards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gptwright.alignment.answer_batch import by_prompt
from gptwright.alignment.answer_logprobs import AT_ONCE, Compared, best_nats, token_logprobs
from gptwright.alignment.rankings import padded_ranks
from gptwright.evaluation.intervals import share_by_group
from gptwright.models.decoder import Decoder
from gptwright.objectives.dpo import dpo_loss, implicit_rewards
from gptwright.objectives.ranking import contested, right_pairs
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import epoch_order
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import MixedBatch, TextMixture


class DPOBatch(NamedTuple):
    """The prompts of a step, and the text beside them."""

    items: list[Compared]
    text: MixedBatch

    @property
    def rows(self) -> int:
        return max(len(self.items), self.text.rows)


@dataclass(frozen=True, kw_only=True)
class DPOTask:
    """The policy learns the ranks as they were given, `rows` prompts a step, and `auxiliary` text beside them.

    `smoothing` is the share of pairs taken to be ranked wrongly, `best_weight` that of the best answers' likelihood.
    """

    policy: Decoder
    train: Sequence[Compared]
    heldout: Sequence[Compared]
    auxiliary: TextMixture
    rows: int
    seed: int
    pad: int
    beta: float
    smoothing: float = 0.0
    best_weight: float = 0.0

    def batch(self, step: int) -> DPOBatch:
        order = epoch_order(len(self.train), self.rows, step, self.seed)
        return DPOBatch([self.train[i] for i in order], self.auxiliary.batch(step))

    def loss(self, batch: DPOBatch, shard: BatchShard) -> Iterator[Tensor]:
        total = float(contested(padded_ranks([item.ids for item in batch.items])).sum())
        for rows in shard.slices(len(batch.items)):
            items = batch.items[rows]
            ids = [item.ids for item in items]
            tokens = token_logprobs(self.policy, ids, self.pad)
            rewards = self._rewards(items, tokens)
            best = best_nats(tokens, ids).sum() / len(batch.items)
            ranks = padded_ranks(ids).to(rewards.device)
            yield dpo_loss(rewards, ranks, self.smoothing, total) + self.best_weight * best
        yield from self.auxiliary.loss(batch.text, shard)

    def rewards(self, items: Sequence[Compared]) -> Float[Tensor, "B K"]:
        """The implicit reward of each answer, 0 where a prompt has fewer than K."""
        return self._rewards(items, token_logprobs(self.policy, [item.ids for item in items], self.pad))

    def _rewards(self, items: Sequence[Compared], tokens: Float[Tensor, "N A"]) -> Float[Tensor, "B K"]:
        logprobs = by_prompt(tokens.sum(1), padded_ranks([item.ids for item in items]).to(tokens.device))
        reference = pad_sequence([torch.tensor(item.reference) for item in items], batch_first=True).to(logprobs)
        return implicit_rewards(logprobs, reference, self.beta)

    @torch.no_grad()
    def evaluate(self, step: int) -> Evaluation:
        """Share of held-out pairs that the implicit reward orders rightly; before the first step all are equal."""
        found: list[tuple[str, float, int]] = []
        for start in range(0, len(self.heldout), AT_ONCE):
            items = self.heldout[start : start + AT_ONCE]
            rewards = self.rewards(items)
            right, pairs = right_pairs(rewards, padded_ranks([item.ids for item in items]).to(rewards.device))
            found += zip([item.prompt for item in items], right.tolist(), pairs.tolist(), strict=True)
        return Evaluation(estimates={"pair_accuracy": share_by_group(found)})
