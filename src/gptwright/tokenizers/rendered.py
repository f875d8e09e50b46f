"""Rendered chat templates to ids: the template's control tokens become control ids, what people wrote never does."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.tokenizers.marks import choose_mark, marked
from gptwright.tokenizers.template import Message, knows, passed_over, render_text
from gptwright.tokenizers.tokenizer import Tokenizer

_HALVES = re.compile("[\ud800-\udfff]")


class Token(NamedTuple):
    """An id and the characters of the rendered text it stands for."""

    id: int
    start: int
    end: int


class Rendering:
    """A conversation in the words of a tokenizer's template.

    Raises `InputError` for a role that the template does not know, or a conversation that it refuses.
    """

    def __init__(self, messages: Sequence[Message], tokenizer: Tokenizer, template: str) -> None:
        self._tokenizer, self._template = tokenizer, template
        controls = tokenizer.controls
        named = {"bos_token": controls.begin, "eos_token": (*controls.stops, controls.end)[0],
                 "pad_token": controls.pad}  # fmt: skip
        self._names = {name: token for name, token in named.items() if token}
        self._check_roles(messages)
        added = tokenizer.reader.get_added_tokens_decoder().values()
        tokens = [token.content for token in added if token.special]
        contents = [_HALVES.sub("\ufffd", message["content"]) for message in messages]
        _refuse_single(tokens, contents)
        self._mark = choose_mark([template, *contents])
        self._messages = [
            Message(role=message["role"], content=marked(content, tokens, self._mark))
            for message, content in zip(messages, contents, strict=True)
        ]

    def prompt(self) -> list[int]:
        """Ids up to where the assistant is to speak."""
        return [token.id for token in self._tokens(self._text(len(self._messages), prompt=True))]

    def learned(self) -> tuple[list[int], list[bool]]:
        """Ids, and which of them the assistant says. Raises `ArtifactError` when the template does not show it."""
        text = self._text(len(self._messages), prompt=False)
        tokens = self._tokens(text)
        spans = [self._said(i, text, tokens) for i, m in enumerate(self._messages) if m["role"] == "assistant"]
        said = [any(start <= token.start and token.end <= end for start, end in spans) for token in tokens]
        return [token.id for token in tokens], said

    def _said(self, i: int, text: str, tokens: list[Token]) -> tuple[int, int]:
        """From where message `i` was to begin to the end of its turn, found by rendering what leads there."""
        if i == 0:
            raise InputError("a conversation that a user or the system begins", "one that the assistant begins",
                             "Put what it answers before it.")  # fmt: skip
        before, after = self._text(i, prompt=True), self._text(i + 1, prompt=False)
        stops = self._tokenizer.stop_ids
        ends = (t.end for t in tokens if t.id in stops and t.start >= len(before) and t.end <= len(after))
        end = next(ends, None)
        if end is None or not after.startswith(before) or not text.startswith(after[:end]):
            raise ArtifactError(
                "a chat template that shows which words are the assistant's, between its prompt and a stop token",
                "one that does not", "Fine-tune with another template, for example that of a model trained here.",
            )  # fmt: skip
        return len(before), end

    def _text(self, count: int, *, prompt: bool) -> str:
        return render_text(self._template, self._messages[:count], self._names, prompt=prompt)

    def _check_roles(self, messages: Sequence[Message]) -> None:
        for role in dict.fromkeys(message["role"] for message in messages):
            if not knows(self._template, role, tuple(self._names.items())):
                raise InputError("roles that the model's chat template knows", f"'{role}'",
                                 "Leave those messages out, or put their text into the user's.")  # fmt: skip

        place = passed_over(self._template, tuple(message["role"] for message in messages), tuple(self._names.items()))
        if place is not None:
            raise InputError("messages that the model's chat template writes",
                             f"a message of the {messages[place]['role']}, number {place + 1}, which it passes over",
                             "Put it first, or put its text into the user's.")  # fmt: skip

    def _tokens(self, text: str) -> list[Token]:
        """As the reader of control tokens sees the text; pieces with marks in them are encoded anew without."""
        found = self._tokenizer.reader.encode(text, add_special_tokens=False)
        tokens = [Token(i, *span) for i, span in zip(found.ids, found.offsets, strict=True)]
        if self._mark not in text:
            return tokens
        control = [at for at, token in enumerate(tokens) if token.id in self._tokenizer.control_ids]
        result: list[Token] = []
        for left, right in pairwise([-1, *control, len(tokens)]):
            start = tokens[left].end if left >= 0 else 0
            end = tokens[right].start if right < len(tokens) else len(text)
            run = tokens[left + 1 : right]
            result += self._unmarked(text, start, end) if self._mark in text[start:end] else run
            result += tokens[right : right + 1]
        if any(self._mark in text[tokens[at].start : tokens[at].end] for at in control):
            raise InputError("messages without the names of control tokens", "one that this tokenizer would read",
                             "Write them otherwise.")  # fmt: skip
        return result

    def _unmarked(self, text: str, start: int, end: int) -> list[Token]:
        places = [at for at in range(start, end) if text[at] != self._mark]
        backend = self._tokenizer.after_control if start else self._tokenizer.plain
        found = backend.encode("".join(text[at] for at in places), add_special_tokens=False)
        return [Token(i, places[a], places[b - 1] + 1) for i, (a, b) in zip(found.ids, found.offsets, strict=True)]


def _refuse_single(tokens: Sequence[str], contents: Sequence[str]) -> None:
    """A control token of one character has no inside where a mark could stand."""
    for token in tokens:
        if len(token) == 1 and any(token in content for content in contents):
            raise InputError("messages without this model's control characters", repr(token), "Leave it out.")
