"""Ranked answers, turned into ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.intake import Intake
from gptwright.inference.content import Content
from gptwright.store.ranking_lines import Ranking
from gptwright.tokenizers.chat_templates.chat import Message
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import epoch_order, key, permutation


@dataclass(frozen=True)
class RankedIds:
    """The K conversations of one prompt as ids, each ending with the assistant's end of turn."""

    rows: list[list[int]]
    ranks: list[int]
    cut: bool = False
    """whether the prompt lost its beginning for some answer"""
    weight: float = 1.0
    """how much the ranking counts beside others"""
    content: Mapping[int, Content] = field(default_factory=dict[int, Content])
    """what a model that sees reads in the places of the prompt's images, the same in every row"""


@runtime_checkable
class Reader(Protocol):
    """A model that reads conversations, those with images too where it sees."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    context: int

    def rendered(self, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
        """Ids of a conversation, with room for its images, and which of them the assistant says."""
        ...

    def chat_content(self, messages: Sequence[Message]) -> Mapping[int, Content]:
        """What stands in the images' places of a conversation that is to be replied to."""
        ...


def ranked_ids(ranking: Ranking, reader: Reader) -> RankedIds:
    """Long prompts lose their beginning, never the answer's end, which is where the reward is read; of a prompt with
    images nothing can be lost, and answers that are too long for it are left out.

    Answers are left out that leave no room for a prompt (cut, two of them could become equal), and those that are
    equal as ids but ranked differently. Raises as `render` does.
    """
    context, content = reader.context, reader.chat_content(ranking.messages)
    rows: list[list[int]] = []
    ranks: list[int] = []
    cut = False
    for answer, rank in zip(ranking.answers, ranking.ranks, strict=True):
        ids = answer_ids(ranking.messages, answer, reader)
        if ids is not None and not (content and len(ids) > context):
            rows.append(ids[-context:])
            ranks.append(rank)
            cut |= len(ids) > context
    ranks_of: dict[tuple[int, ...], set[int]] = {}
    for row, rank in zip(rows, ranks, strict=True):
        ranks_of.setdefault(tuple(row), set()).add(rank)
    kept = [at for at, row in enumerate(rows) if len(ranks_of[tuple(row)]) == 1]
    return RankedIds([rows[at] for at in kept], [ranks[at] for at in kept], cut, content=content)


def answer_ids(messages: Sequence[Message], answer: str, reader: Reader) -> list[int] | None:
    """The conversation up to the end of the answer; None where that leaves no room in the context for a prompt."""
    ids, learned = reader.rendered([*messages, {"role": "assistant", "content": answer}])
    end = max(at for at, by_assistant in enumerate(learned, 1) if by_assistant)  # some templates go on behind it
    first = max(at for at in range(end) if not learned[at]) + 1
    return ids[:end] if end - first < reader.context else None


def comparable(rankings: Sequence[Ranking], reader: Reader, intake: Intake) -> list[tuple[Ranking, RankedIds]]:
    """What can be learned from rankings; `intake` is told of those with no pair of which one answer is better.

    Raises `ArtifactError` when the tokenizer has no chat template.
    """
    found: list[tuple[Ranking, RankedIds]] = []
    for ranking in rankings:
        if len(set(ranking.ranks)) == 1:
            intake.drop("all tied", ranking.where)
            continue
        with intake.dropping(ranking.where):
            item, context = ranked_ids(ranking, reader), reader.context
            why = f"answers of {context:,} tokens and more, or equal ones ranked differently"
            if len(set(item.ranks)) < 2:
                intake.drop(f"without two answers to compare ({why})", ranking.where)
                continue
            if len(item.rows) < len(ranking.answers):
                intake.cut(f"by some answers ({why})", ranking.where)
            elif item.cut:
                intake.cut(f"at the prompt's beginning, to {context:,} tokens", ranking.where)
            found.append((ranking, item))
    return found


def with_shuffled_ranks(items: Sequence[RankedIds], seed: int) -> list[RankedIds]:
    """The same answers, their ranks dealt anew."""
    deals = (permutation(len(item.ranks), key(seed, index)) for index, item in enumerate(items))
    return [replace(item, ranks=[item.ranks[i] for i in deal]) for item, deal in zip(items, deals, strict=True)]


def padded_ranks(items: Sequence[RankedIds]) -> Int[Tensor, "B K"]:
    """The ranks alone, 0 where a prompt has fewer answers than K."""
    most = max(len(item.ranks) for item in items)
    return torch.tensor([[*item.ranks, *[0] * (most - len(item.ranks))] for item in items])


def rankings_of_step(items: Sequence[RankedIds], take: int, step: int, seed: int) -> list[RankedIds]:
    """The prompts of one step."""
    return [items[i] for i in epoch_order(len(items), take, step, seed)]
