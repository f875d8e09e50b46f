"""Texts that show how another goes on: functions written from their description (Codex §4), and edits."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptwright.alignment.demonstrations import Demonstration
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.objectives.language import IGNORED
from gptwright.text.jsonl import Line, read_objects
from gptwright.text.split import Split
from gptwright.tokenizers.edits import EditMarks
from gptwright.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class Solution:
    """What a line shows; by its `prompt` it is known where some are held out."""

    prompt: str
    demonstration: Demonstration
    texts: Mapping[str, str]
    """by their names in the file"""
    split: Split | None = None
    where: str = field(default="", compare=False)


def read_solutions(path: Path, tokenizer: Tokenizer, context: int, intake: Intake) -> Iterator[Solution]:
    """Every {"prompt", "completion"}, of which the completion and its end are learned. A conversation of one question,
    as rejection leaves it, is the same in two turns.

    `intake` is told of those that do not fit. Raises `InputError` naming the line that lacks a text.
    """
    for line in map(_unfolded, read_objects(path)):
        texts = _texts(line, {"prompt": "def …", "completion": "    return …"}, never_blank="completion")
        if shown := continued(texts["prompt"], texts["completion"], tokenizer, context):
            yield Solution(texts["prompt"], shown, texts, line.split, line.where)
        else:
            intake.drop(f"of more than {context:,} tokens", line.where)


def read_edits(path: Path, tokenizer: Tokenizer, context: int, intake: Intake) -> Iterator[Solution]:
    """Every {"instruction", "input", "output"}, of which the output and its end are learned. The tokenizer has marks
    for edits.

    `intake` is told of those that do not fit. Raises `InputError` naming the line that lacks a text.
    """
    marks, asked = EditMarks.of(tokenizer), {"instruction": "Rename …", "input": "def …", "output": "def …"}
    for line in read_objects(path):
        texts = _texts(line, asked, never_blank="instruction")
        wish, before, after = tokenizer.encode_many(list(texts.values()))
        if shown := _fitting(marks.prompt(before, wish), [*after, marks.end], context):
            yield Solution(texts["input"], shown, texts, line.split, line.where)
        else:
            intake.drop(f"of more than {context:,} tokens", line.where)


def continued(prompt: str, completion: str, tokenizer: Tokenizer, context: int) -> Demonstration | None:
    """The completion and its end, learned after the prompt; None where the context does not hold both."""
    begin = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    before, after = tokenizer.encode_many([prompt, completion])
    return _fitting([*begin, *before], [*after, tokenizer.eos_id], context)


def _unfolded(line: Line) -> Line:
    """A line whose question and answer are the turns of a conversation, with both as fields."""
    match line.get("messages"):
        case [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]:
            return Line({**line, "prompt": prompt, "completion": completion}, line.where)
        case _:
            return line


def _texts(line: Line, examples: Mapping[str, str], never_blank: str) -> dict[str, str]:
    texts: dict[str, Any] = {name: line.get(name) for name in examples}
    if not all(isinstance(text, str) for text in texts.values()) or not line[never_blank].strip():
        names = " and ".join(f"'{name}'" for name in examples)
        raise InputError(f"texts as {names} of {line.where}", repr(list(texts.values()))[:80],
                         f"Add {json.dumps(dict(examples), ensure_ascii=False)[1:-1]}.")  # fmt: skip
    return texts


def _fitting(prompt: list[int], answer: list[int], context: int) -> Demonstration | None:
    """The answer learned after the prompt, if the context holds both; without a prompt all behind its first token."""
    whole = [*prompt, *answer]
    if len(whole) - 1 > context:
        return None
    return Demonstration(whole[:-1], [*[IGNORED] * len(prompt), *answer][1:])
