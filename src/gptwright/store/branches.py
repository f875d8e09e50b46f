"""Branches of a conversation, deleted and taken back: a message with everything behind it."""

import time

from sqlalchemy import CTE, select, update
from sqlalchemy.orm import Session

from gptwright.store.messages import find_message
from gptwright.store.tables import Conversation, Message


def _branch(id: str) -> CTE:
    """The ids of a message and of all that follow it."""
    found = select(Message.id).where(Message.id == id).cte(recursive=True)
    return found.union_all(select(Message.id).join(found, Message.parent_id == found.c.id))


def delete_branch(session: Session, id: str) -> Message:
    """Marks all of it as deleted; what was deleted before stays so by itself. Where its end was open, that is now the
    message before it. Raises `InputError` when there is no such message."""
    message, branch = find_message(session, id), _branch(id)
    session.execute(
        update(Message)
        .where(Message.id.in_(select(branch.c.id)), Message.deleted.is_(None))
        .values(deleted=time.time())
    )
    ends = Conversation.leaf.in_(select(branch.c.id))
    here = Conversation.id == message.conversation_id
    session.execute(update(Conversation).where(here, ends).values(leaf=message.parent_id or ""))
    session.refresh(message)
    return message


def take_back_branch(session: Session, id: str) -> Message:
    """What was deleted with it is there again. Raises as `delete_branch` does."""
    message, branch = find_message(session, id), _branch(id)
    together = Message.id.in_(select(branch.c.id)), Message.deleted == message.deleted
    session.execute(update(Message).where(*together).values(deleted=None))
    session.refresh(message)
    return message
