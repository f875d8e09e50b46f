"""How OpenAI's two kinds of completion name the same things: one choice has a message, the other a text."""

import secrets
from typing import Any, Protocol


class Wording(Protocol):
    """How one kind of answer says things; `given` is the request's field that holds the prompt."""

    id: str
    given: str
    whole: str
    part: str

    def opening(self, index: int) -> dict[str, Any] | None:
        """The choice of a stream's first event, if this kind has one."""
        ...

    def delta(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        """The choice of one event of a stream."""
        ...

    def choice(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        """A whole choice."""
        ...


class ChatWording:
    """`chat.completion` and its chunks: text is a message's content."""

    given, whole, part = "messages", "chat.completion", "chat.completion.chunk"

    def __init__(self) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"

    def opening(self, index: int) -> dict[str, Any] | None:
        delta = {"role": "assistant", "content": "", "refusal": None}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def delta(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        return {"index": index, "delta": {"content": text} if text else {}, "logprobs": None, "finish_reason": finish}

    def choice(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}


class TextWording:
    """`text_completion`: text is text, in a stream and outside."""

    given, whole, part = "prompt", "text_completion", "text_completion"

    def __init__(self) -> None:
        self.id = f"cmpl-{secrets.token_hex(12)}"

    def opening(self, index: int) -> dict[str, Any] | None:
        return None

    def delta(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}

    choice = delta
