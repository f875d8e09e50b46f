"""Prompts with their ranked answers as one batch, in which what the answers to a prompt have in common is read once."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.alignment.rankings import RankedIds, padded_ranks
from gptwright.foundations.device import device_of, to_device
from gptwright.inference.content import embeddings_of
from gptwright.layers.embedding import Embeddings
from gptwright.layers.shared_prefix import Beginnings, Endings
from gptwright.models.decoder import Decoder
from gptwright.models.heads import SequenceModel
from gptwright.tokenizers.padding import padded
from gptwright.training.batches import WIDTHS


class AnswerBatch(NamedTuple):
    """B prompts and all their N answers. `ranks` are 0 where a prompt has fewer answers than K."""

    beginnings: Int[Tensor, "B P"]
    """how all answers to a prompt begin: the prompt; without columns where each answer is read whole"""
    lengths: Int[Tensor, "B"]
    """real tokens of each"""
    endings: Int[Tensor, "N A"]
    last: Int[Tensor, "N"]
    """place of the last token in each"""
    counts: list[int]
    """how many answers each prompt has; they stand in the order of prompts"""
    ranks: Int[Tensor, "B K"]
    images: Embeddings | None = None
    """what is read in the places of the beginnings' images"""

    @classmethod
    def of_items(cls, items: Sequence[RankedIds], pad: int) -> "AnswerBatch":
        """Shares beginnings where that leaves fewer tokens to read, padding included, or where there are images."""
        shared, whole = (cls.split(items, lengths, pad) for lengths in (common_lengths(items), [0] * len(items)))
        return shared if shared.images or shared.tokens < whole.tokens else whole

    @classmethod
    def split(cls, items: Sequence[RankedIds], lengths: Sequence[int], pad: int) -> "AnswerBatch":
        """With so many first tokens of each prompt's answers read once."""
        beginnings = [item.rows[0][:length] for item, length in zip(items, lengths, strict=True)]
        endings = [row[length:] for item, length in zip(items, lengths, strict=True) for row in item.rows]
        ids = padded(beginnings, pad, WIDTHS)
        images = embeddings_of(((item.content, 0, ids.shape[1]) for item in items), ids.device)
        return cls(ids, torch.tensor(lengths), padded(endings, pad, WIDTHS),
                   torch.tensor([len(row) - 1 for row in endings]), [len(item.rows) for item in items],
                   padded_ranks(items), images)  # fmt: skip

    @property
    def tokens(self) -> int:
        """How many are read, padding included."""
        return self.beginnings.numel() + self.endings.numel()

    def to(self, device: torch.device) -> "AnswerBatch":
        beginnings, lengths, endings, last, ranks = (
            to_device(part, device) for part in (self.beginnings, self.lengths, self.endings, self.last, self.ranks)
        )
        images = self.images and Embeddings(*(to_device(part, device) for part in self.images))
        return AnswerBatch(beginnings, lengths, endings, last, self.counts, ranks, images)

    def states(self, model: SequenceModel) -> Float[Tensor, "N C"]:
        """What the model's head sees of each answer."""
        if not self.beginnings.shape[1]:
            return model.states(self.endings[:, : model.config.context], self.last)  # padding may lie beyond it
        beginnings = Beginnings(self.lengths, model.config.context)
        model.trunk.hidden(self.beginnings, beginnings, embeddings=self.images)
        return model.summary(model.trunk.hidden(self.endings, Endings(beginnings, self.counts)), self.last)

    def predicting(self, decoder: Decoder) -> Float[Tensor, "N A C"]:
        """What says each token of the endings, from the one before; of an answer that shares no beginning, nothing is
        before its first. Their beginnings are read once."""
        beginnings = Beginnings(self.lengths, decoder.config.context)
        begun = decoder.hidden(self.beginnings, beginnings, embeddings=self.images)
        last = begun[torch.arange(len(begun)), (self.lengths - 1).clamp(min=0)]
        endings = Endings(beginnings, self.counts)
        ended = decoder.hidden(self.endings, endings)
        return torch.cat([endings.repeated(last[:, None]), ended[:, :-1]], 1)


@torch.no_grad()
def states_of_all(model: SequenceModel, items: Sequence[RankedIds], pad: int) -> Float[Tensor, "N C"]:
    """What the model's head sees of all answers to all prompts, which are read 32 at a time."""
    batches = (AnswerBatch.of_items(items[start : start + 32], pad) for start in range(0, len(items), 32))
    return torch.cat([batch.to(device_of(model)).states(model) for batch in batches])


def common_lengths(items: Sequence[RankedIds]) -> list[int]:
    """Of each prompt, how many first tokens all its answers have in common, at least one left for each of them."""
    found: list[int] = []
    for item in items:
        differ = (place for place, ids in enumerate(zip(*item.rows, strict=False)) if len({*ids}) > 1)
        shortest = min(len(row) for row in item.rows) - 1
        found.append(min(shortest, next(differ, shortest)))
    return found


def by_prompt(rewards: Float[Tensor, "N"], ranks: Int[Tensor, "B K"]) -> Float[Tensor, "B K"]:
    """Each prompt's rewards in a row, 0 where it has no more answers."""
    return rewards.new_zeros(ranks.shape).masked_scatter(ranks >= 1, rewards)
