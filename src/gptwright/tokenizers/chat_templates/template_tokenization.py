"""Rendered chat templates to ids: the template's special tokens become ids, what people wrote never does."""

import json
import re
from collections.abc import Sequence
from typing import cast

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.tokenizers.backend_variants import Token
from gptwright.tokenizers.chat_templates.parts import Message, pieces
from gptwright.tokenizers.chat_templates.special_token_escaping import Escaping, joined
from gptwright.tokenizers.chat_templates.template import Tool, knows_role, render_text, skipped_message
from gptwright.tokenizers.tokenizer import Tokenizer

_HALVES = re.compile("[\ud800-\udfff]")


class Rendering:
    """A conversation in the words of a tokenizer's template; `tools` are what the assistant may call.

    An image stands where the special token `image` does. Raises `InputError` for a role that the template does not
    know, or a conversation that it refuses.
    """

    def __init__(
        self,
        messages: Sequence[Message],
        tokenizer: Tokenizer,
        template: str,
        tools: Sequence[Tool] = (),
        image: str = "",
    ) -> None:
        self._tokenizer, self._template = tokenizer, template
        self._names = tokenizer.special_tokens.named
        self._check_roles(messages)
        texts = [{name: value for name, value in message.items() if name != "images"} for message in messages]
        written = _HALVES.sub("\ufffd", json.dumps([*texts, *tools], ensure_ascii=False))
        escaping = Escaping(tokenizer.all_special_tokens, [template, *self._names.values(), written])
        escaped = [_escaped(message, escaping, image) for message in messages]
        self._messages, self._tools, self._escaping = escaped, escaping.escape_all(list(tools)), escaping

    def prompt(self) -> list[int]:
        """Ids up to where the assistant is to speak."""
        return [token.id for token in self._tokens(self._text(len(self._messages), prompt=True))]

    def with_mask(self) -> tuple[list[int], list[bool]]:
        """Ids, and which of them the assistant says. Raises `ArtifactError` when the template does not show it."""
        text = self._text(len(self._messages), prompt=False)
        tokens = self._tokens(text)
        spans = [
            self._assistant_span(i, text, tokens) for i, m in enumerate(self._messages) if m["role"] == "assistant"
        ]
        mask = [any(start <= token.start and token.end <= end for start, end in spans) for token in tokens]
        return [token.id for token in tokens], mask

    def _assistant_span(self, i: int, text: str, tokens: list[Token]) -> tuple[int, int]:
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
        shown = self._messages[:count]
        written = render_text(self._template, shown, self._names, prompt=prompt, tools=self._tools)
        return "".join([written])  # a plain str, as it stands escaped

    def _check_roles(self, messages: Sequence[Message]) -> None:
        for role in dict.fromkeys(message["role"] for message in messages):
            if not knows_role(self._template, role, tuple(self._names.items())):
                raise InputError("roles that the model's chat template knows", f"'{role}'",
                                 "Leave those messages out, or put their text into the user's.")  # fmt: skip

        place = skipped_message(
            self._template, tuple(message["role"] for message in messages), tuple(self._names.items())
        )
        if place is not None:
            raise InputError("messages that the model's chat template writes",
                             f"a message of the {messages[place]['role']}, number {place + 1}, which it passes over",
                             "Put it first, or put its text into the user's.")  # fmt: skip

    def _tokens(self, text: str) -> list[Token]:
        """The template's special tokens, and between them what any text becomes, unescaped."""
        unescaped = text.translate(self._escaping.originals)
        found, result, at = self._tokenizer.find_special_tokens(text), list[Token](), 0
        for special in [*found, None]:
            start, end = (special.start, special.end) if special else (len(text), len(text))
            result += self._words(unescaped, at, start, first=not result)
            if special:
                result.append(special)
            at = end
        return result

    def _words(self, unescaped: str, start: int, end: int, *, first: bool) -> list[Token]:
        if start == end:
            return []
        backend = self._tokenizer.text_backend if first else self._tokenizer.after_special_token
        found = backend.encode(unescaped[start:end], add_special_tokens=False)
        return [Token(i, start + a, start + b) for i, (a, b) in zip(found.ids, found.offsets, strict=True)]


def _escaped(message: Message, escaping: Escaping, image: str) -> Message:
    """All but the role and the places of images is people's."""
    own = ("role", "content", "images")
    rest = {name: escaping.escape_all(value) for name, value in message.items() if name not in own}
    content = joined(
        escaping.escape(_HALVES.sub("\ufffd", piece)) if isinstance(piece, str) else image for piece in pieces(message)
    )
    return cast("Message", {"role": message["role"], "content": content, **rest})
