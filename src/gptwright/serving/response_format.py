"""How OpenAI's kinds of completion name the same things: a choice has a message or a text."""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gptwright.serving.logprobs import Spell, chat_logprobs, text_logprobs
from gptwright.serving.tool_calls import Call, CallParser

if TYPE_CHECKING:
    from gptwright.inference.stream import TokenLogprob


class ResponseEncoder(Protocol):
    """Encodes one kind of completion. `prompt_field` is the request's field that holds the prompt; with `starts_text`
    false the response continues it."""

    id: str
    prompt_field: str
    starts_text: bool
    object_name: str
    chunk_name: str

    def first_chunk(self, index: int) -> dict[str, object] | None:
        """The choice of a stream's first event, if this kind has one."""
        ...

    def deltas(self, index: int, text: str, tokens: "Sequence[TokenLogprob]" = ()) -> Sequence[dict[str, object]]:
        """The choices of a stream's next events."""
        ...

    def last_deltas(self, index: int, finish: str) -> Sequence[dict[str, object]]:
        """Those of the events that end a choice."""
        ...

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        """A whole choice."""
        ...


class ChatEncoder:
    """`chat.completion` and its chunks: text is a message's content, calls of `names` its `tool_calls`, or with
    `legacy` the first its `function_call`."""

    prompt_field, starts_text, object_name, chunk_name = "messages", True, "chat.completion", "chat.completion.chunk"

    def __init__(self, spell: Spell, names: Sequence[str] = (), *, legacy: bool = False) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.spell, self.names, self.legacy = spell, names, legacy
        self._parsers: defaultdict[int, CallParser] = defaultdict(lambda: CallParser(names))

    def first_chunk(self, index: int) -> dict[str, object] | None:
        delta = {"role": "assistant", "content": "", "refusal": None}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def deltas(self, index: int, text: str, tokens: "Sequence[TokenLogprob]" = ()) -> list[dict[str, object]]:
        parser = self._parsers[index]
        before = len(parser.calls)
        return self._pieces(index, parser.feed(text), parser.calls, before, tokens)

    def last_deltas(self, index: int, finish: str) -> list[dict[str, object]]:
        parser = self._parsers[index]
        before = len(parser.calls)
        rest = self._pieces(index, parser.finish(), parser.calls, before)
        return [*rest, {"index": index, "delta": {}, **self._rest(self._finish(finish, parser.calls), ())}]

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        parser = CallParser(self.names)
        content = parser.feed(text) + parser.finish()
        message = {"role": "assistant", "content": content or (None if parser.calls else ""), "refusal": None}
        if parser.calls:
            message |= self._called([call.fields() for call in parser.calls], parser.calls[0])
        return {"index": index, "message": message, **self._rest(self._finish(finish, parser.calls), tokens)}

    def _pieces(
        self, index: int, text: str, calls: Sequence[Call], before: int, tokens: "Sequence[TokenLogprob]" = ()
    ) -> list[dict[str, object]]:
        """What is said, and the calls that came since there were so many `before`."""
        new = [{"index": number, **calls[number].fields()} for number in range(before, len(calls))]
        pieces: list[dict[str, Any]] = [{"content": text}] if text else []
        pieces += [self._called([call], calls[0]) for call in new if not self.legacy or call["index"] == 0]
        if tokens and not pieces:
            pieces = [{}]
        told = [tokens, *[()] * len(pieces)]
        return [
            {"index": index, "delta": piece, **self._rest(None, these)}
            for piece, these in zip(pieces, told, strict=False)
        ]

    def _called(self, fields: list[dict[str, Any]], first: Call) -> dict[str, Any]:
        return {"function_call": first.function()} if self.legacy else {"tool_calls": fields}

    def _finish(self, finish: str | None, calls: Sequence[Call]) -> str | None:
        called = "function_call" if self.legacy else "tool_calls"
        return called if calls and finish == "stop" else finish

    def _rest(self, finish: str | None, tokens: "Sequence[TokenLogprob]") -> dict[str, Any]:
        return {"logprobs": chat_logprobs(tokens, self.spell) if tokens else None, "finish_reason": finish}


class CompletionEncoder:
    """`text_completion`: text is text, in a stream and outside."""

    prompt_field, starts_text, object_name, chunk_name = "prompt", False, "text_completion", "text_completion"

    def __init__(self, spell: Spell) -> None:
        self.id = f"cmpl-{secrets.token_hex(12)}"
        self.spell = spell

    def first_chunk(self, index: int) -> dict[str, object] | None:
        return None

    def deltas(self, index: int, text: str, tokens: "Sequence[TokenLogprob]" = ()) -> list[dict[str, object]]:
        return [self.choice(index, text, None, tokens)]

    def last_deltas(self, index: int, finish: str) -> list[dict[str, object]]:
        return [self.choice(index, "", finish)]

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        logprobs = text_logprobs(tokens, self.spell) if tokens else None
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


class EditEncoder:
    """`edit`: text and its number; beyond OpenAI's, why it ended."""

    prompt_field, starts_text, object_name, chunk_name = "input", True, "edit", "edit"

    def __init__(self) -> None:
        self.id = f"edit-{secrets.token_hex(12)}"

    def first_chunk(self, index: int) -> dict[str, object] | None:
        return None

    def deltas(self, index: int, text: str, tokens: "Sequence[TokenLogprob]" = ()) -> list[dict[str, object]]:
        return [{"text": text, "index": index, "finish_reason": None}]

    def last_deltas(self, index: int, finish: str) -> list[dict[str, object]]:
        return [{"text": "", "index": index, "finish_reason": finish}]

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        return {"text": text, "index": index, "finish_reason": finish}
