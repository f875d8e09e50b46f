"""Ranked answers: read from files, turned into ids, batched a prompt at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import read_objects
from gptwright.tokenizers.chat import Message, read_messages, render
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import WIDTHS, epoch_order, key, padded, permutation


@dataclass(frozen=True)
class Ranking:
    """A prompt and its answers; rank 1 is best, equal ranks tie."""

    messages: list[Message]
    answers: list[str]
    ranks: list[int]
    split: str = "train"


def read_rankings(path: Path) -> list[Ranking]:
    """Our format, or pairs with `chosen` and `rejected` as TRL and OpenRLHF write them.

    Raises `InputError` naming the line for missing fields, fewer than two answers or ranks that do not fit.
    """
    return [_ranking(line, f"line {number} of {path}") for number, line in enumerate(read_objects(path), 1)]


def _ranking(line: dict[str, Any], where: str) -> Ranking:
    messages = _asked(line, where)
    if "chosen" in line:
        answers, ranks = [_said(line["chosen"], where), _said(line.get("rejected"), where)], [1, 2]
    else:
        answers, ranks = line.get("answers"), line.get("ranks")
    _check(answers, ranks, where)
    return Ranking(messages, cast("list[str]", answers), cast("list[int]", ranks), str(line.get("split", "train")))


def _asked(line: dict[str, Any], where: str) -> list[Message]:
    prompt = line.get("messages", line.get("prompt"))
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    if prompt is None and isinstance(line.get("chosen"), list):
        return read_messages(line["chosen"], where)[:-1]
    return read_messages(prompt, where)


def _said(answer: Any, where: str) -> str:
    return answer if isinstance(answer, str) else read_messages(answer, where)[-1]["content"]


def _check(answers: Any, ranks: Any, where: str) -> None:
    if not isinstance(answers, list) or not isinstance(ranks, list):
        raise InputError(f"'answers' and 'ranks' in {where}", "a line without them", "Add both lists.")
    texts, places = cast("list[Any]", answers), cast("list[Any]", ranks)
    if len(texts) < 2 or len(texts) != len(places) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"two or more answers and as many ranks in {where}", f"{len(texts)} and {len(places)}",
                         "Give every answer a rank.")  # fmt: skip
    if not all(isinstance(place, int) and place >= 1 for place in places):
        raise InputError(f"ranks that are whole numbers from 1 in {where}", repr(places), "1 is best; equal is a tie.")


@dataclass(frozen=True)
class RankedIds:
    """The K conversations of one prompt as ids, each ending with the assistant's end of turn."""

    rows: list[list[int]]
    ranks: list[int]


def ranked_ids(ranking: Ranking, tokenizer: Tokenizer, context: int) -> RankedIds:
    """Long prompts lose their beginning, never the answer's end, which is where the reward is read."""
    rows: list[list[int]] = []
    for answer in ranking.answers:
        ids, said = render([*ranking.messages, {"role": "assistant", "content": answer}], tokenizer)
        end = max(at for at, by_assistant in enumerate(said, 1) if by_assistant)  # some templates go on behind it
        rows.append(ids[:end][-context:])
    return RankedIds(rows, ranking.ranks)


def with_shuffled_ranks(items: Sequence[RankedIds], seed: int) -> list[RankedIds]:
    """The same answers, their ranks dealt anew."""
    deals = (permutation(len(item.ranks), key(seed, index)) for index, item in enumerate(items))
    return [RankedIds(item.rows, [item.ranks[i] for i in deal]) for item, deal in zip(items, deals, strict=True)]


def batch_rankings(
    items: Sequence[RankedIds], pad: int, most: int | None = None
) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"], Int[Tensor, "B K"]]:
    """All N = B × K answers as rows, where each row's last token is, and the ranks.

    K is `most`, or that of the longest list; a prompt with fewer answers gets rows of padding and ranks of 0.
    """
    most = most or max(len(item.rows) for item in items)
    rows = [row for item in items for row in [*item.rows, *[[pad]] * (most - len(item.rows))]]
    return padded(rows, pad, WIDTHS), torch.tensor([len(row) - 1 for row in rows]), padded_ranks(items, most)


def padded_ranks(items: Sequence[RankedIds], most: int | None = None) -> Int[Tensor, "B K"]:
    """The ranks alone, 0 where a prompt has fewer answers than K."""
    most = most or max(len(item.ranks) for item in items)
    return torch.tensor([[*item.ranks, *[0] * (most - len(item.ranks))] for item in items])


def rankings_of_step(items: Sequence[RankedIds], take: int, step: int, seed: int) -> list[RankedIds]:
    """The prompts of one step."""
    return [items[i] for i in epoch_order(len(items), take, step, seed)]
