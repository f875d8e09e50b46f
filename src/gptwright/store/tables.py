"""The tables. Messages and annotations are only ever added: what was said stays said.

conversations ─< messages (a tree: each names the one it follows) ─< annotations (a log)
                    └─< tasks ─< places (one for each labeller that a task needs)          jobs
users ─< keys, logins

Times are seconds since 1970 in UTC. What is text for people (`content`, `value`, `fields`) is JSON, which holds any
text in every database.
"""

import time
import uuid
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
Part = dict[str, Any]
"""of a message's content, as OpenAI writes them: {"type": "text", "text": "…"}"""


def new_id() -> str:
    """An id that nobody else has made."""
    return uuid.uuid4().hex


class Base(DeclarativeBase):
    """Every table of the store."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        str: Text,
        float: Double,
        list[Part]: JSON,
        dict[str, Any]: JSON(none_as_null=True),
    }


class Conversation(Base):
    """Messages that belong together. `fields`: what else was said of them, such as the fields of an imported line."""

    __tablename__ = "conversations"
    __table_args__ = (Index(None, "owner", "changed"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    owner: Mapped[str] = mapped_column(default="")
    title: Mapped[str] = mapped_column(default="")
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    folder: Mapped[str] = mapped_column(default="")
    pinned: Mapped[bool] = mapped_column(default=False)
    leaf: Mapped[str] = mapped_column(default="")
    """the message that was last looked at: it ends the branch that is open"""
    created: Mapped[float] = mapped_column(default=time.time)
    changed: Mapped[float] = mapped_column(default=time.time)
    deleted: Mapped[float | None]
    """when; until it is taken back, nobody sees it and nothing is learned of it"""


class Message(Base):
    """One message, by a person or a model. Those with the same parent are alternatives to each other.

    `generation` of an answer: how it came about, as far as is known (`Generation` in messages.py).
    """

    __tablename__ = "messages"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("messages.id"), index=True)
    role: Mapped[str]
    content: Mapped[list[Part]]
    author: Mapped[str] = mapped_column(default="")
    """who wrote it, where that was a person"""
    model: Mapped[str] = mapped_column(default="")
    """name of the model that wrote it"""
    generation: Mapped[dict[str, Any] | None]
    deleted: Mapped[float | None]
    """when, with all that follows it: as of a conversation"""
    created: Mapped[float] = mapped_column(default=time.time)


class Task(Base):
    """A prompt that labellers are to look at: `message_id` ends it. Those of higher priority come first."""

    __tablename__ = "tasks"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    kind: Mapped[str]
    """of the label that is asked for"""
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"))
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    priority: Mapped[float] = mapped_column(default=0.0)
    created: Mapped[float] = mapped_column(default=time.time)


class Place(Base):
    """One labeller's place at a task: a task that three should label has three. Free while `until` has passed.

    An index has those that are not done in the order in which they are given: nothing is sorted to find the next.
    """

    __tablename__ = "places"
    __table_args__ = (
        UniqueConstraint("task_id", "labeller"),
        Index(None, "labeller", "done", "until"),
        Index(None, "done", "standing", "turn", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id"))
    standing: Mapped[float]
    """minus the task's priority: an index only rises"""
    turn: Mapped[int]
    """0 for the task's first place: all tasks get one label before any gets its second"""
    labeller: Mapped[str | None]
    until: Mapped[float] = mapped_column(default=0.0)
    """when the lease ends"""
    done: Mapped[bool] = mapped_column(default=False)


class Annotation(Base):
    """A row of the log of labels. Of the rows with one id, author and kind the newest counts; it has no value where the
    label was withdrawn.

    `message_id`: what is judged; of a ranking the message that was answered. `value`: `KINDS` in labels.py says.
    """

    __tablename__ = "annotations"
    __table_args__ = (Index(None, "id", "author", "kind", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    author: Mapped[str] = mapped_column(default="")
    kind: Mapped[str]
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), index=True)
    value: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    task_id: Mapped[str | None] = mapped_column(ForeignKey("tasks.id"), index=True)
    created: Mapped[float] = mapped_column(default=time.time)


class Job(Base):
    """Work that goes on by itself, such as an improvement: what was asked, how far it is, what came of it."""

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    kind: Mapped[str]
    owner: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(index=True, default="waiting")
    """waiting, running, done, failed or cancelled"""
    asked: Mapped[dict[str, Any]] = mapped_column(default=dict)
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created: Mapped[float] = mapped_column(default=time.time)
    changed: Mapped[float] = mapped_column(default=time.time)


class User(Base):
    """Somebody who may come in. `role`: "chatter", "labeller" or "owner"; each may do what those before may."""

    __tablename__ = "users"

    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    password: Mapped[str | None]
    """its hash, of argon2; who has none comes in with keys alone"""
    created: Mapped[float] = mapped_column(default=time.time)


class Key(Base):
    """What a user's program shows at every request. Only its SHA-256 is kept: it is random, and cannot be guessed from
    that."""

    __tablename__ = "keys"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    title: Mapped[str] = mapped_column(default="")
    digest: Mapped[str] = mapped_column(unique=True)
    until: Mapped[float | None]
    """when it ends"""
    per_minute: Mapped[int | None]
    """requests that it may make in a minute"""
    withdrawn: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float] = mapped_column(default=time.time)


class Login(Base):
    """What a user's browser shows at every request after the password was right. As of keys, only its hash is kept."""

    __tablename__ = "logins"

    number: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    digest: Mapped[str] = mapped_column(unique=True)
    until: Mapped[float]
    """when it ends"""
    created: Mapped[float] = mapped_column(default=time.time)
