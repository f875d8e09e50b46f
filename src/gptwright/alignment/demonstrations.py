"""Conversations that show what to say: read from files, cut from the corpus, batched by length."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from gptwright.alignment.packing import Packing
from gptwright.alignment.prompts import text_of
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.objectives.language import IGNORED
from gptwright.store.ranking_lines import Ranking
from gptwright.text.heldout import assign_splits
from gptwright.text.jsonl import read_objects
from gptwright.text.split import Split
from gptwright.tokenizers.chat_templates.chat import Message, read_messages, render
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import WIDTHS, TokenBatch, epoch_order

SENTENCE = re.compile(r".+?(?:[.!?]+[\"'”’)]*(?=\s|$)|[。！？]+[”’」』]*|$)")
UNIT = re.compile(r"[\u3400-\u9fff]\W*|\s*[^\s\u3400-\u9fff]+")
GROUP = 8  # steps whose conversations are sorted by length together, so that little is padding
LANGUAGES = ("en", "eng", "english")


@dataclass(frozen=True)
class Conversation:
    """Messages, the side that their line names, and where it stands."""

    messages: list[Message]
    split: Split | None = None
    where: str = field(default="", compare=False)

    @property
    def asked(self) -> list[Message]:
        """What the last answer answers."""
        answers = [at for at, message in enumerate(self.messages) if message["role"] == "assistant"]
        return self.messages[: answers[-1]] if answers else self.messages


def read_conversations(path: Path, intake: Intake) -> list[Conversation]:
    """The conversations of a file in English, of both sides; `intake` is told of lines that name another language.

    Raises `InputError` naming a line that holds no messages.
    """
    found: list[Conversation] = []
    for line in read_objects(path):
        conversation = Conversation(read_messages(line.get("messages"), line.where), line.split, line.where)
        if is_english(line.get("language")):
            found.append(conversation)
        else:
            intake.drop("in another language", line.where)
    return found


def best_answers(files: Sequence[Sequence[Ranking]], intake: Intake) -> list[Conversation]:
    """The best answer to every ranked prompt; `intake` is told of prompts that are held out for reward."""
    sides = assign_splits(files, lambda ranking: text_of(ranking.messages), lambda ranking: ranking.split)
    for ranking in sides.heldout:
        intake.drop("ranked, held out for reward", ranking.where)
    return [
        Conversation([*each.messages, Message(role="assistant", content=each.best)], "train", each.where)
        for each in sides.train
    ]


def is_english(language: Any) -> bool:
    """Whether a field "language" says so: "en", "en-GB", "English"; null and empty text say nothing against it."""
    return language is None or re.split(r"[-_]", str(language).strip().lower())[0] in ("", *LANGUAGES)


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
        found.append(Conversation([
            {"role": "user", "content": f"Continue: {''.join(units[:at]).strip()}"},
            {"role": "assistant", "content": "".join(units[at:]).rstrip()},
        ], "train"))  # fmt: skip
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
    cut: bool = False
    """whether answers are missing that would not end within the context"""

    @property
    def whole(self) -> list[int]:
        """The ids up to and with the end of the last answer, where a reward is read."""
        return [*self.ids, self.targets[-1]]

    @classmethod
    def of(cls, messages: Sequence[Message], tokenizer: Tokenizer, context: int, image: str = "") -> "Demonstration":
        """Up to the end of the last answer that is whole within the context: a part of one would teach never to end.

        Nor is it learned to say nothing. Without such an answer there is nothing in it. Raises as `render` does.
        """
        ids, shown = render(messages, tokenizer, image)
        learned = list(_with_words(ids, shown, tokenizer))
        following = [*learned[1:], False]
        ends = [at for at, is_learned in enumerate(learned) if is_learned and not following[at]]
        whole = [end for end in ends if end <= context]
        end = whole[-1] if whole else 0
        targets = [
            i if is_learned else IGNORED for i, is_learned in zip(ids[1 : end + 1], learned[1 : end + 1], strict=True)
        ]
        return cls(ids[:end], targets, cut=len(whole) < len(ends))


def _with_words(ids: Sequence[int], learned: Sequence[bool], tokenizer: Tokenizer) -> Iterator[bool]:
    """`learned` without the turns of which nothing is left but their end."""
    for is_learned, turn in groupby(zip(ids, learned, strict=True), lambda pair: pair[1]):
        said = [i for i, _ in turn]
        words = is_learned and tokenizer.decode([i for i in said if i not in tokenizer.stop_ids]).strip()
        yield from [bool(words)] * len(said)


def demonstrations(
    conversations: Sequence[Conversation], tokenizer: Tokenizer, context: int, intake: Intake
) -> list[Demonstration]:
    """What can be learned from conversations; `intake` is told of those that are cut and of those that teach nothing.

    Raises `ArtifactError` when the tokenizer has no chat template, or one that does not show what is learned.
    """
    found: list[Demonstration] = []
    for conversation in conversations:
        messages, where = conversation.messages, conversation.where
        if not any(message["role"] == "assistant" and message["content"].strip() for message in messages):
            intake.drop("without an answer", where)
            continue
        with intake.dropping(where):
            shown = Demonstration.of(messages, tokenizer, context)
            if not shown.ids:
                intake.drop(f"whose first answer does not end within {context:,} tokens", where)
                continue
            if shown.cut:
                intake.cut(f"before an answer that does not end within {context:,} tokens", where)
            found.append(shown)
    return found


class Demonstrations:
    """Batches of demonstrations as a pure function of the step; those of like length come together.

    With `packing` several share a row: the same are learned in a step, with the same loss.
    """

    def __init__(
        self, examples: Sequence[Demonstration], rows: int, seed: int, pad: int, packing: Packing | None = None
    ) -> None:
        self.examples, self.rows, self.seed, self.pad, self.packing = examples, rows, seed, pad, packing

    def batch(self, step: int) -> TokenBatch:
        """Inputs and targets; what pads is IGNORED."""
        chosen = [self.examples[i] for i in self.numbers(step)]
        if self.packing:
            return self.packing.batch([e.ids for e in chosen], [e.targets for e in chosen], self.pad)
        return self._collated(chosen)

    def numbers(self, step: int) -> list[int]:
        """Which demonstrations the step learns, by their places in `examples`."""
        block, place = divmod(step, GROUP)
        order = epoch_order(len(self.examples), self.rows * GROUP, block, self.seed)
        order.sort(key=lambda i: (len(self.examples[i].ids), i))
        place = epoch_order(GROUP, GROUP, block, self.seed)[place]
        return order[place * self.rows : (place + 1) * self.rows]

    def in_order(self) -> Iterator[TokenBatch]:
        """All of them once, the shortest first."""
        order = sorted(range(len(self.examples)), key=lambda i: len(self.examples[i].ids))
        for start in range(0, len(order), self.rows):
            yield self._collated([self.examples[i] for i in order[start : start + self.rows]])

    def _collated(self, chosen: Sequence[Demonstration]) -> TokenBatch:
        ids = padded([e.ids for e in chosen], self.pad, WIDTHS)
        return TokenBatch(ids, padded([e.targets for e in chosen], IGNORED, WIDTHS).to(torch.long))
