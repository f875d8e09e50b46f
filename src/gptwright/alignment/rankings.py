"""Ranked answers: read from files, and turned into ids."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.images.named import named_image
from gptwright.inference.content import Content
from gptwright.text.jsonl import Line, read_objects
from gptwright.text.split import Split
from gptwright.tokenizers.chat_templates.chat import Message, read_messages, read_prompt, same_history
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import epoch_order, key, permutation


@dataclass(frozen=True)
class Ranking:
    """A prompt and its answers; rank 1 is best, equal ranks tie. Also the side its line names, and where it stands."""

    messages: list[Message]
    answers: list[str]
    ranks: list[int]
    split: Split | None = None
    labeller: str = ""
    """who ranked, where the line says so"""
    where: str = field(default="", compare=False)
    line: Line = field(default_factory=lambda: Line({}, ""), compare=False)
    """all that is said beside the answers, such as what a rule needs to know"""

    @property
    def best(self) -> str:
        """The first of the answers that nothing is preferred to."""
        return self.answers[self.ranks.index(min(self.ranks))]


def read_rankings(path: Path) -> list[Ranking]:
    """Our format, or pairs with `chosen` and `rejected` as TRL and OpenRLHF write them.

    Raises `InputError` naming the line for missing fields, fewer than two answers, ranks that do not fit, or roles that
    cannot be: a prompt that ends with the assistant, answers that do not, answers to different prompts.
    """
    load = partial(named_image, folder=path.parent)
    return [read_ranking(line, load) for line in read_objects(path)]


def read_ranking(line: Line, load: Callable[[str], bytes] | None = None) -> Ranking:
    """That of one line; `load` gets the prompt's images by name, where there may be any. Raises as `read_rankings`
    does."""
    if line.get("chosen") is not None or line.get("rejected") is not None:
        messages, answers, ranks = *_pair(line, load), [1, 2]
    else:
        messages, answers, ranks = read_prompt(line, line.where, load), line.get("answers"), line.get("ranks")
    _check(answers, ranks, line.where)
    return Ranking(messages, cast("list[str]", answers), cast("list[int]", ranks), line.split,
                   str(line.get("labeller") or ""), line.where, line)  # fmt: skip


def _pair(line: Line, load: Callable[[str], bytes] | None) -> tuple[list[Message], list[str]]:
    """The prompt and both answers. Some files repeat the prompt in both lists, or the whole chosen list as messages."""
    fields = {name: value for name, value in line.items() if not (name == "messages" and value == line.get("chosen"))}
    given = any(fields.get(name) is not None for name in ("messages", "prompt"))
    prompt = read_prompt(fields, line.where, load) if given else []
    (before, chosen), (other, rejected) = (
        _history_and_answer(line, name, prompt, load) for name in ("chosen", "rejected")
    )
    if len(before) != len(other) or same_history(before, other) is None:
        raise InputError(f"'chosen' and 'rejected' that answer one prompt in {line.where}", "different prompts",
                         "Mend the line.")  # fmt: skip
    read_prompt({"messages": before}, line.where)
    return before, [chosen, rejected]


def _history_and_answer(
    line: Line, name: str, prompt: list[Message], load: Callable[[str], bytes] | None
) -> tuple[list[Message], str]:
    """The messages before an answer, and the answer."""
    value, where = line.get(name), f"'{name}' of {line.where}"
    if isinstance(value, str):
        return prompt, value
    *before, answer = read_messages(value, where, load)
    if answer["role"] != "assistant":
        raise InputError(f"an answer at the end of {where}", f"words of the {answer['role']}",
                         "End it with the assistant's answer.")  # fmt: skip
    if before and before[0]["role"] == "assistant":  # it goes on where the prompt ends
        return [*prompt, *before], answer["content"]
    whole = same_history(prompt, before)
    if whole is None:
        raise InputError(f"the prompt that {where} begins with", "another one beside it", "Take one of them away.")
    return whole, answer["content"]


def _check(answers: Any, ranks: Any, where: str) -> None:
    if not isinstance(answers, list) or not isinstance(ranks, list):
        raise InputError(f"'answers' and 'ranks' in {where}", "a line without them", "Add both lists.")
    texts, places = cast("list[Any]", answers), cast("list[Any]", ranks)
    if len(texts) < 2 or len(texts) != len(places) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"two or more answers and as many ranks in {where}", f"{len(texts)} and {len(places)}",
                         "Give two answers or more, each with its rank, or leave the line out.")  # fmt: skip
    if not all(type(place) is int and place >= 1 for place in places):
        raise InputError(f"ranks that are whole numbers from 1 in {where}", repr(places), "1 is best; equal is a tie.")


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
