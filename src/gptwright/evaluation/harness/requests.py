"""What the model is asked: ids of which the last ones are scored, or a prompt that it answers.

A text is cut into context and continuation as lm-evaluation-harness does it: blanks at the end of the context belong
to the continuation, both are encoded together, and the continuation is what the context's own ids do not cover.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gptwright.foundations.progress import ProgressLine
from gptwright.inference.content import Content
from gptwright.inference.request import Request
from gptwright.pipelines.model import Model
from gptwright.pipelines.truncation import nearest_to_hole
from gptwright.tokenizers.chat_templates.parts import Message, PlacedImage
from gptwright.tokenizers.edits import EditMarks
from gptwright.tokenizers.fill_in_the_middle import Sentinels

TOGETHER = 512  # rows that the engine is given at once


@dataclass(frozen=True, order=True)
class Row:
    """ids[start:] are scored after ids[:start]."""

    ids: tuple[int, ...]
    start: int
    images: tuple[bytes, ...] = ()
    """the files that the ids have room for"""
    content: Mapping[int, Content] = field(default_factory=dict[int, Content], compare=False)
    """what stands there"""

    @property
    def count(self) -> int:
        """How many ids are scored."""
        return len(self.ids) - self.start

    def cut(self, context: int) -> "Row":
        """Without the oldest ids, as many as must go; the last id is not read, and needs no room."""
        over = max(0, len(self.ids) - context - 1)
        return Row(self.ids[over:], self.start - over)


@dataclass(frozen=True)
class Reading:
    """How likely what was scored is, id by id, and whether each was the likeliest there."""

    logprobs: Sequence[float]
    greedy: bool

    @property
    def total(self) -> float:
        """Of the whole, in nats: 0 or less."""
        return sum(self.logprobs)


class Encoder:
    """Texts to rows for one model."""

    def __init__(self, model: Model) -> None:
        self._model, self.context = model, model.context
        self.ids = lru_cache(maxsize=4096)(lambda text: tuple(model.text_ids(text)))
        self._tokenizer, self.sentinels = model.tokenizer, Sentinels.known(model.tokenizer)
        self._bare = model.tokenizer.encode
        begin = model.tokenizer.bos_id if model.tokenizer.bos_id is not None else model.tokenizer.declared_bos_id
        self.prefix = model.tokenizer.eos_id if begin is None else begin
        """what an empty context is: the id that begins a text, or else the one that ended the text before it"""

    def pair(self, context: str, continuation: str) -> Row:
        """The row of a continuation after its context."""
        blanks = len(context) - len(context.rstrip())
        if not context:
            ids = self.begun(continuation)
            return Row(ids[ids[:1] == ids[1:2] :], 1)
        before = self.ids(context[: len(context) - blanks])
        if not before:  # nothing but blanks
            return self.pair("", context + continuation)
        whole = self.ids(context + continuation)
        return Row(before + whole[len(before) :], len(before))

    def begun(self, text: str) -> tuple[int, ...]:
        """The ids of a text behind the one that an empty context is."""
        return (self.prefix, *self._bare(text))

    def windows(self, text: str) -> list[Row]:
        """Rows that score every id of a text once, each with as much before it as the context holds."""
        ids = self.begun(text)
        ends = [min(first + self.context, len(ids)) for first in range(1, len(ids), self.context)]
        begins = [max(0, end - self.context - 1) for end in ends]
        return [Row(ids[begin:end], 1 + number * self.context - begin)
                for number, (begin, end) in enumerate(zip(begins, ends, strict=True))]  # fmt: skip

    def insertion(self, before: str, after: str | None, room: int | None = None) -> tuple[int, ...]:
        """The ids of two texts between which one is to be written; none for a model that cannot insert.

        In a `room` of less ids what is far from the hole is left out.
        """
        if after is None or self.sentinels is None:
            return ()
        prefix, suffix = self._bare(before), self._bare(after)
        if room is not None:
            _, prefix, suffix = nearest_to_hole([], prefix, suffix, room - len(self.sentinels.prompt((), ())))
        return tuple(self.sentinels.prompt(prefix, suffix))

    def edit(self, text: str, instruction: str | None) -> tuple[int, ...]:
        """The ids of a text that is to be edited; none where nothing is to be done to it.

        Raises `ConfigError` for a model that was never taught to edit.
        """
        if instruction is None:
            return ()
        return tuple(EditMarks.of(self._tokenizer).prompt(self._bare(text), self._bare(instruction)))

    def conversation(self, text: str, images: Sequence[bytes]) -> Row:
        """What is read of a question about images, of which nothing is scored; of the text alone where the model cannot
        see."""
        shown = [PlacedImage(0, image) for image in images] if self._model.sees else []
        messages = [Message(role="user", content=text, images=shown)]
        ids = tuple(self._model.chat_ids(messages))
        return Row(ids, len(ids), tuple(image.data for image in shown), self._model.chat_content(messages))

    def answer(self, text: str) -> tuple[int, ...]:
        """The ids of what the assistant may say, with the end of its turn."""
        return (*self._bare(text), *self._model.tokenizer.stop_ids[:1])

    def prompt(self, text: str) -> tuple[int, ...]:
        """The ids of a text that is to be continued."""
        return self.ids(text) or (self.prefix,)


def read_rows(model: Model, rows: Sequence[Row]) -> list[Reading]:
    """Scores rows; those that begin alike are read one after the other, and what they share once."""
    order = sorted(range(len(rows)), key=lambda i: rows[i])
    readings: dict[Row, Reading] = {}
    unique = list(dict.fromkeys(rows[i] for i in order))
    with ProgressLine("evaluate", len(unique)) as line:
        for first in range(0, len(unique), TOGETHER):
            some = unique[first : first + TOGETHER]
            with model.engine.all_or_none() as requests:
                for row in some:
                    requests.append(
                        model.engine.read(row.ids[:-1], row.start, following=row.ids[-1], top=1, content=row.content)
                    )
                model.engine.run(requests)
            readings |= {row: _reading(row, request) for row, request in zip(some, requests, strict=True)}
            line.update(first + len(some))
    return [readings[row] for row in rows]


def _reading(row: Row, request: Request) -> Reading:
    likeliest = (next(iter(top)) for top in request.prompt_top_logprobs)
    return Reading(request.prompt_logprobs, all(a == b for a, b in zip(likeliest, row.ids[row.start :], strict=True)))
