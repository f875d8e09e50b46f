"""A person's conversations: listed, searched, filed, deleted and taken back."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Select, Text, cast, select
from sqlalchemy.orm import Session

from gptwright.foundations.errors import InputError
from gptwright.store.messages import text_of
from gptwright.store.tables import Conversation, Message

AROUND = 60
"""characters that are shown on either side of what was found"""


class Found(NamedTuple):
    """A conversation, and where in it the words are: no message where they are in its title."""

    conversation: Conversation
    message_id: str | None
    excerpt: str


def find_conversation(session: Session, id: str, owner: str) -> Conversation:
    """The owner's conversation of this id, deleted or not. Raises `InputError` when the owner has none."""
    asked = select(Conversation).where(Conversation.id == id, Conversation.owner == owner)
    found = session.scalar(asked)
    if found is None:
        raise InputError("the id of one of your conversations", f"'{id}'", "Name one that is there.")
    return found


def list_conversations(
    session: Session, owner: str, *, folder: str | None = None, deleted: bool = False, offset: int = 0, limit: int = 50
) -> Sequence[Conversation]:
    """Those that are pinned first, then those in which something happened last."""
    asked = _of(owner, folder=folder, deleted=deleted)
    asked = asked.order_by(Conversation.pinned.desc(), Conversation.changed.desc(), Conversation.number.desc())
    return session.scalars(asked.offset(offset).limit(limit)).all()


def search_conversations(
    session: Session, owner: str, words: str, *, folder: str | None = None, deleted: bool = False, limit: int = 50
) -> list[Found]:
    """The conversations in which one message, or the title, has all the words, whatever their case; each once, where
    it was said last.

    The database looks for the words as the store writes them, which it does alike on SQLite and PostgreSQL and for
    languages without spaces; what it cannot compare, it lets through, and is compared here.
    """
    parts = words.split()
    if not parts:
        return []
    found: dict[str, Found] = {}
    for one in _candidates(session, _of(owner, folder=folder, deleted=deleted), parts):
        if one.conversation.id in found or not all(part.casefold() in one.excerpt.casefold() for part in parts):
            continue
        found[one.conversation.id] = one._replace(excerpt=_excerpt(one.excerpt, parts[0]))
        if len(found) == limit:
            break
    return list(found.values())


def _of(owner: str, *, folder: str | None, deleted: bool) -> Select[Conversation]:
    asked = select(Conversation).where(Conversation.owner == owner, Conversation.deleted.is_not(None) == deleted)
    return asked if folder is None else asked.where(Conversation.folder == folder)


def _candidates(session: Session, own: Select[Conversation], parts: Sequence[str]) -> Iterator[Found]:
    titles = own
    for part in parts:
        titles = titles.where(Conversation.title.ilike(_pattern(part, escaped=False), escape="!"))
    for conversation in session.scalars(titles.order_by(Conversation.changed.desc())):
        yield Found(conversation, None, conversation.title)
    said = own.join(Message, Message.conversation_id == Conversation.id).where(Message.deleted.is_(None))
    said = said.add_columns(Message)
    for part in parts:
        said = said.where(cast(Message.content, Text).ilike(_pattern(part, escaped=True), escape="!"))
    for conversation, message in session.execute(said.order_by(Message.number.desc())).tuples():
        yield Found(conversation, message.id, text_of(message.content))


def _pattern(part: str, *, escaped: bool) -> str:
    """A word for LIKE, which knows the case of ASCII alone: another letter that has one may be anything. `escaped`: as
    it is written in JSON."""

    def written(letter: str) -> str:
        if not letter.isascii() and (letter.lower() != letter.upper() or len(letter.casefold()) > 1):
            return "%"
        text = json.dumps(letter)[1:-1] if escaped else letter
        return "".join(f"!{each}" if each in "!%_" else each for each in text)

    return f"%{''.join(map(written, part))}%"


def _excerpt(text: str, part: str) -> str:
    at = max(text.casefold().find(part.casefold()), 0)
    start, end = max(at - AROUND, 0), at + len(part) + AROUND
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def touch(session: Session, id: str, leaf: str) -> None:
    """Something was said in it: `leaf` ends the branch that is open now."""
    conversation = session.scalars(select(Conversation).where(Conversation.id == id)).one()
    conversation.leaf, conversation.changed = leaf, time.time()
