"""How OpenAI's two kinds of completion name the same things: one choice has a message, the other a text."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gptwright.serving.logprobs import Spell, chat_logprobs, text_logprobs

if TYPE_CHECKING:
    from gptwright.inference.stream import TokenLogprob


class Wording(Protocol):
    """How one kind of answer says things; `given` is the request's field that holds the prompt, and with `begins` off
    the answer continues that."""

    id: str
    given: str
    begins: bool
    whole: str
    part: str

    def opening(self, index: int) -> dict[str, Any] | None:
        """The choice of a stream's first event, if this kind has one."""
        ...

    def delta(self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()) -> dict[str, Any]:
        """The choice of one event of a stream."""
        ...

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, Any]:
        """A whole choice."""
        ...


class ChatWording:
    """`chat.completion` and its chunks: text is a message's content."""

    given, begins, whole, part = "messages", True, "chat.completion", "chat.completion.chunk"

    def __init__(self, spell: Spell) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.spell = spell

    def opening(self, index: int) -> dict[str, Any] | None:
        delta = {"role": "assistant", "content": "", "refusal": None}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def delta(self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()) -> dict[str, Any]:
        return {"index": index, "delta": {"content": text} if text else {}, **self._rest(finish, tokens)}

    def choice(
        self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()
    ) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, **self._rest(finish, tokens)}

    def _rest(self, finish: str | None, tokens: "Sequence[TokenLogprob]") -> dict[str, Any]:
        return {"logprobs": chat_logprobs(tokens, self.spell) if tokens else None, "finish_reason": finish}


class TextWording:
    """`text_completion`: text is text, in a stream and outside."""

    given, begins, whole, part = "prompt", False, "text_completion", "text_completion"

    def __init__(self, spell: Spell) -> None:
        self.id = f"cmpl-{secrets.token_hex(12)}"
        self.spell = spell

    def opening(self, index: int) -> dict[str, Any] | None:
        return None

    def delta(self, index: int, text: str, finish: str | None, tokens: "Sequence[TokenLogprob]" = ()) -> dict[str, Any]:
        told = text_logprobs(tokens, self.spell) if tokens else None
        return {"index": index, "text": text, "logprobs": told, "finish_reason": finish}

    choice = delta
