"""Lines of ranked answers, ours and those of TRL and OpenRLHF."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.errors import InputError
from gptwright.images.named import named_image
from gptwright.text.jsonl import Line, read_objects
from gptwright.text.split import Split
from gptwright.tokenizers.chat_templates.chat import Message, read_messages, read_prompt, same_history


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
