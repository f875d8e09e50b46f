"""Conversations that show what to say: read from files, cut from the corpus, batched by length."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.objectives.language import IGNORED
from gptwright.text.jsonl import read_objects
from gptwright.tokenizers.chat import Message, read_messages, render
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import WIDTHS, epoch_order, padded

SENTENCE = re.compile(r".+?(?:[.!?]+[\"'”’)]*(?=\s|$)|[。！？]+[”’」』]*|$)")
UNIT = re.compile(r"[\u3400-\u9fff]\W*|\s*[^\s\u3400-\u9fff]+")
GROUP = 8  # steps whose conversations are sorted by length together, so that little is padding
Conversation = list[Message]


def read_conversations(path: Path, split: str = "train", language: str = "en") -> list[Conversation]:
    """Conversations of a file; lines that name another split or language are left out."""
    return [
        read_messages(item.get("messages"), f"line {number} of {path}")
        for number, item in enumerate(read_objects(path), 1)
        if item.get("split", split) == split and item.get("language", language) == language
    ]


def continuations(texts: Sequence[str], count: int, seed: int) -> list[Conversation]:
    """ "Continue: <how a sentence begins>" → how it goes on, cut from text between words or Chinese characters.

    The rest keeps the space before its first word: without it a word falls into pieces, and small models begin inside
    words. Raises `InputError` when the text has no sentence of a fitting length.
    """
    dice = random.Random(seed)
    sentences = [units for text in texts for units in _sentences(" ".join(text.split()))]
    if not sentences:
        raise InputError("sentences of 16 to 40 words (or Chinese characters) to make continuations from", "none",
                         "Add running text.")  # fmt: skip
    found: list[Conversation] = []
    for _ in range(count):
        units = dice.choice(sentences)
        at = dice.randint(5, 8)
        found.append([
            {"role": "user", "content": f"Continue: {''.join(units[:at]).strip()}"},
            {"role": "assistant", "content": "".join(units[at:]).rstrip()},
        ])  # fmt: skip
    return found


def _sentences(text: str) -> Iterator[list[str]]:
    """Sentences of 16 to 40 units: a word with what precedes it, or one Chinese character."""
    for sentence in SENTENCE.findall(text):
        units = UNIT.findall(sentence)
        if 16 <= len(units) <= 40:
            yield units


@dataclass(frozen=True)
class Demonstration:
    """Ids of a conversation and the targets: the assistant's tokens, IGNORED elsewhere."""

    ids: list[int]
    targets: list[int]

    @classmethod
    def of(cls, conversation: Sequence[Message], tokenizer: Tokenizer, context: int) -> "Demonstration":
        ids, learned = render(conversation, tokenizer)
        targets = [i if said else IGNORED for i, said in zip(ids, learned, strict=True)][1:]
        return cls(ids[:-1][:context], targets[:context])


class Demonstrations:
    """Batches of demonstrations as a pure function of the step; rows of like length come together."""

    def __init__(self, examples: Sequence[Demonstration], rows: int, seed: int, pad: int) -> None:
        self.examples, self.rows, self.seed, self.pad = examples, rows, seed, pad

    def batch(self, step: int) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
        """Inputs and targets; what pads is IGNORED."""
        block, place = divmod(step, GROUP)
        order = epoch_order(len(self.examples), self.rows * GROUP, block, self.seed)
        order.sort(key=lambda i: (len(self.examples[i].ids), i))
        place = epoch_order(GROUP, GROUP, block, self.seed)[place]
        chosen = [self.examples[i] for i in order[place * self.rows : (place + 1) * self.rows]]
        ids, targets = (
            padded([e.ids for e in chosen], self.pad, WIDTHS),
            padded([e.targets for e in chosen], IGNORED, WIDTHS),
        )
        return ids, targets.to(torch.long)
