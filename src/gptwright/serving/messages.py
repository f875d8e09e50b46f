"""The turns of a conversation, as OpenAI's clients send them and send them back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from gptwright.serving.fields import RequestFields, refuse

if TYPE_CHECKING:
    from gptwright.tokenizers.chat_templates.chat import Message as Turn

EMPTY: tuple[Any, ...] = (None, "", [], {})
PARTS = {"text": "text", "refusal": "refusal"}
"""kinds of a message's parts, and the field that holds their text"""


def as_text(value: Any) -> Any:
    """A text that is given as one string or as a list of parts."""
    if not isinstance(value, list):
        return value
    return "\n".join(_part(part) for part in cast("list[Any]", value))


def _part(part: Any) -> str:
    fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    kind = fields.get("type")
    if isinstance(kind, str) and kind not in PARTS:
        raise ValueError(f"parts of the type '{kind[:40]}' cannot be read: this model reads text alone")
    text = fields.get(PARTS[kind]) if isinstance(kind, str) else None
    if not isinstance(text, str):
        raise ValueError('a part must be {"type": "text", "text": "…"}')
    return text


class Message(RequestFields):
    """One turn. "developer" is the newer word for "system". A `name` tells speakers of one role apart, for which chat
    templates have no place. What an assistant refused to say is what it said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str | None, BeforeValidator(as_text)] = None
    refusal: str | None = None
    name: Annotated[str | None, Field(max_length=256)] = None

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        """Clients send back what they received, with empty fields such as `tool_calls: []`."""
        if not isinstance(value, dict):
            return value
        items = cast("dict[str, Any]", value).items()
        return {name: item for name, item in items if name in cls.model_fields or item not in EMPTY}

    @model_validator(mode="after")
    def _only_an_assistant_may_be_silent(self) -> Self:
        if self.role != "assistant" and self.content is None:
            refuse("content", f"a message of the role '{self.role}' must have its text here")
        if self.role != "assistant" and self.refusal:
            refuse("refusal", "only the assistant refuses")
        return self

    def turn(self) -> "Turn":
        """As chat templates read it."""
        role = "system" if self.role == "developer" else self.role
        return {"role": role, "content": self.content or self.refusal or ""}


def to_chat_messages(messages: Sequence[Message]) -> "list[Turn]":
    """A conversation as chat templates read it."""
    return [message.turn() for message in messages]
