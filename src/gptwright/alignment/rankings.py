"""Ranked answers, turned into ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.intake import Intake
from gptwright.store.ranking_lines import Ranking
from gptwright.tokenizers.chat_templates.chat import Message, render
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


def ranked_ids(ranking: Ranking, tokenizer: Tokenizer, context: int) -> RankedIds:
    """Long prompts lose their beginning, never the answer's end, which is where the reward is read.

    Answers are left out that leave no room for a prompt (cut, two of them could become equal), and those that are
    equal as ids but ranked differently. Raises as `render` does.
    """
    rows: list[list[int]] = []
    ranks: list[int] = []
    cut = False
    for answer, rank in zip(ranking.answers, ranking.ranks, strict=True):
        ids = answer_ids(ranking.messages, answer, tokenizer, context)
        if ids is not None:
            rows.append(ids[-context:])
            ranks.append(rank)
            cut |= len(ids) > context
    ranks_of: dict[tuple[int, ...], set[int]] = {}
    for row, rank in zip(rows, ranks, strict=True):
        ranks_of.setdefault(tuple(row), set()).add(rank)
    kept = [at for at, row in enumerate(rows) if len(ranks_of[tuple(row)]) == 1]
    return RankedIds([rows[at] for at in kept], [ranks[at] for at in kept], cut)


def answer_ids(messages: Sequence[Message], answer: str, tokenizer: Tokenizer, context: int) -> list[int] | None:
    """The conversation up to the end of the answer; None where that leaves no room in the context for a prompt."""
    ids, learned = render([*messages, {"role": "assistant", "content": answer}], tokenizer)
    end = max(at for at, by_assistant in enumerate(learned, 1) if by_assistant)  # some templates go on behind it
    first = max(at for at in range(end) if not learned[at]) + 1
    return ids[:end] if end - first < context else None


def comparable(
    rankings: Sequence[Ranking], tokenizer: Tokenizer, context: int, intake: Intake
) -> list[tuple[Ranking, RankedIds]]:
    """What can be learned from rankings; `intake` is told of those with no pair of which one answer is better.

    Raises `ArtifactError` when the tokenizer has no chat template.
    """
    found: list[tuple[Ranking, RankedIds]] = []
    for ranking in rankings:
        if len(set(ranking.ranks)) == 1:
            intake.drop("all tied", ranking.where)
            continue
        with intake.dropping(ranking.where):
            item = ranked_ids(ranking, tokenizer, context)
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
