"""Conversations as trees of messages: added one by one, or kept whole, each message once."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

from sqlalchemy import Exists, Select, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from gptwright.foundations.errors import InputError
from gptwright.images.named import as_data_uri, data_uri
from gptwright.store.tables import Base, Conversation, Message, Part, new_id
from gptwright.tokenizers.chat_templates.parts import Message as Turn
from gptwright.tokenizers.chat_templates.parts import as_parts as write_parts
from gptwright.tokenizers.chat_templates.parts import read_parts


class Generation(TypedDict, total=False):
    """How an answer came about, as far as is known."""

    weights: str
    """SHA-256 of the model's weights"""
    sampling: dict[str, Any]
    seed: int
    prompt_ids: list[int]
    seconds: dict[str, float]
    """the server's time, such as {"waited": …, "first": …, "all": …}"""
    finish: str
    """"stop", "length" or "cancelled" """
    dropped: int
    """messages in front of it that the context had no room for"""
    tokens: int
    """how many were written"""
    continues: str
    """id of the answer whose text it begins with"""


def as_parts(content: str | Sequence[Part]) -> list[Part]:
    """Content as the store keeps it."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def text_of(content: Sequence[Part]) -> str:
    """What can be read of a content."""
    return "\n".join(str(part["text"]) for part in content if part.get("type") == "text")


def has_images(content: Sequence[Part]) -> bool:
    """Whether there is something to see in it."""
    return any(part.get("type") == "image_url" for part in content)


def turn_of(message: Message) -> Turn:
    """As chat templates read it, with its images."""
    if not has_images(message.content):
        return Turn(role=message.role, content=text_of(message.content))
    text, images = read_parts(message.content, data_uri)
    return Turn(role=message.role, content=text, images=images)


def parts_of(turn: Turn) -> list[Part]:
    """The content of a turn as the store keeps it, its images as data: URIs."""
    content: Any = write_parts(turn, as_data_uri)["content"]
    return as_parts(content)


def add_conversation(
    session: Session,
    *,
    owner: str = "",
    title: str = "",
    fields: Mapping[str, Any] | None = None,
    id: str | None = None,
) -> Conversation:
    """A new conversation, still empty."""
    made = Conversation(id=id or new_id(), owner=owner, title=title, fields=dict(fields or {}))
    session.add(made)
    session.flush()
    return made


def add_message(  # noqa: PLR0913 (the fields of a message)
    session: Session,
    conversation_id: str,
    parent_id: str | None,
    role: str,
    content: str | Sequence[Part],
    *,
    author: str = "",
    model: str = "",
    generation: Generation | None = None,
    id: str | None = None,
) -> Message:
    """A message behind `parent_id`, or one that begins the conversation. Raises `InputError` for a parent that is
    elsewhere or deleted."""
    parent = find_message(session, parent_id) if parent_id else None
    if parent and parent.conversation_id != conversation_id:
        raise InputError(f"a message of the conversation {conversation_id}", f"'{parent_id}' of another", "Correct it.")
    if parent and parent.deleted is not None:
        raise InputError("a message that is there", f"'{parent_id}', which is deleted", "Take that back first.")
    made = Message(id=id or new_id(), conversation_id=conversation_id, parent_id=parent_id, role=role,
                   content=as_parts(content), author=author, model=model,
                   generation=cast("dict[str, Any] | None", generation))  # fmt: skip
    session.add(made)
    session.flush()
    return made


def find_message(session: Session, id: str) -> Message:
    """Raises `InputError` when there is none."""
    found = session.scalar(select(Message).where(Message.id == id))
    if found is None:
        raise InputError("the id of a stored message", f"'{id}'", "Name one that is there.")
    return found


def kept_messages() -> Select[str]:
    """The ids of all messages that are not deleted, and whose conversations are not."""
    kept = select(Message.id).join(Conversation, Conversation.id == Message.conversation_id)
    return kept.where(Conversation.deleted.is_(None), Message.deleted.is_(None))


def is_kept(message_id: InstrumentedAttribute[str]) -> Exists:
    """Whether neither a row's message nor its conversation is deleted: looked up row by row, where `kept_messages`
    reads all."""
    return kept_messages().where(Message.id == message_id).exists()


def history(session: Session, id: str) -> list[Message]:
    """The messages from the conversation's first to this one. Raises `InputError` when there is none."""
    last = select(Message.id, Message.parent_id, literal(0).label("back")).where(Message.id == id)
    path = last.cte(recursive=True)
    path = path.union_all(
        select(Message.id, Message.parent_id, path.c.back + 1).join(path, Message.id == path.c.parent_id)
    )
    found = session.scalars(select(Message).join(path, path.c.id == Message.id).order_by(path.c.back.desc())).all()
    return [*found] if found else [find_message(session, id)]


def path_to(messages: Mapping[str, Message], id: str) -> list[Message]:
    """The same among messages that are at hand."""
    found = [messages[id]]
    while found[-1].parent_id:
        found.append(messages[found[-1].parent_id])
    return found[::-1]


def keep_turns(session: Session, turns: Sequence[Turn], *, owner: str = "", model: str = "") -> str:
    """The id of the last of `turns`, which `model` said; messages that are not stored yet are added.

    Equal beginnings of an owner's conversations are one: answers to one prompt are alternatives in one tree.
    """
    ids = [digest(owner)]
    for at, turn in enumerate(turns, 1):
        shown = [[image.at, hashlib.sha256(image.data).hexdigest()] for image in turn.get("images", ())]
        ids.append(digest(ids[-1], turn["role"], turn["content"], model if at == len(turns) else "",
                          *([shown] if shown else [])))  # fmt: skip
    insert_new(session, Conversation, [{"id": ids[1], "owner": owner}])
    insert_new(session, Message, [
        {"id": id, "conversation_id": ids[1], "parent_id": before if before != ids[0] else None, "role": turn["role"],
         "content": parts_of(turn), "model": model if id == ids[-1] else ""}
        for before, id, turn in zip(ids, ids[1:], turns, strict=False)
    ])  # fmt: skip
    return ids[-1]


def insert_new(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> int:
    """Adds the rows whose ids are not there yet, in this order; how many those were. All have the same fields."""
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[session.get_bind().dialect.name]
    new = insert(table).on_conflict_do_nothing().returning(cast("Any", table).id)
    return len(session.execute(new, [*rows]).all())


def digest(*parts: object) -> str:
    """The same id for the same parts, whenever and wherever."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
