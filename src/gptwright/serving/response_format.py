"""How OpenAI's kinds of completion name the same things: a choice has a message or a text."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gptwright.serving.logprobs import Spell, chat_logprobs, text_logprobs

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

    def delta(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        """The choice of one event of a stream."""
        ...

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        """A whole choice."""
        ...


class ChatEncoder:
    """`chat.completion` and its chunks: text is a message's content."""

    prompt_field, starts_text, object_name, chunk_name = "messages", True, "chat.completion", "chat.completion.chunk"

    def __init__(self, spell: Spell) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.spell = spell

    def first_chunk(self, index: int) -> dict[str, object] | None:
        delta = {"role": "assistant", "content": "", "refusal": None}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def delta(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        return {"index": index, "delta": {"content": text} if text else {}, **self._rest(finish, tokens)}

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, **self._rest(finish, tokens)}

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

    def delta(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        logprobs = text_logprobs(tokens, self.spell) if tokens else None
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}

    choice = delta


class EditEncoder:
    """`edit`: text and its number; beyond OpenAI's, why it ended."""

    prompt_field, starts_text, object_name, chunk_name = "input", True, "edit", "edit"

    def __init__(self) -> None:
        self.id = f"edit-{secrets.token_hex(12)}"

    def first_chunk(self, index: int) -> dict[str, object] | None:
        return None

    def delta(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, object]:
        return {"text": text, "index": index, "finish_reason": finish}

    choice = delta
