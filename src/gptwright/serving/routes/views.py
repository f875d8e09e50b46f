"""Rows of the store as JSON."""

from collections.abc import Sequence
from typing import Any

from gptwright.store.messages import has_images, text_of
from gptwright.store.tables import Annotation, Conversation, Message, Part

View = dict[str, Any]


def conversation_view(one: Conversation) -> View:
    """What a list shows of a conversation. Times are seconds since 1970."""
    names = ("id", "title", "folder", "pinned", "leaf", "created", "changed", "deleted")
    return {name: getattr(one, name) for name in names}


def message_view(one: Message, *, whole: bool = False) -> View:
    """A message of a tree; only a `whole` one has the ids of its prompt."""
    made = {key: value for key, value in (one.generation or {}).items() if whole or key != "prompt_ids"}
    names = ("id", "conversation_id", "parent_id", "role", "author", "model", "created")
    return {name: getattr(one, name) for name in names} | content_view(one.content) | {"generation": made or None}


def content_view(content: Sequence[Part]) -> View:
    """What a message says, and where it shows images its `parts` too, as they were sent."""
    return {"content": text_of(content)} | ({"parts": list(content)} if has_images(content) else {})


def label_view(one: Annotation) -> View:
    """A label that counts, or one without a value, which was withdrawn."""
    names = ("id", "kind", "message_id", "value", "author", "task_id", "created")
    return {name: getattr(one, name) for name in names}
