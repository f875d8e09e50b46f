"""Who may come in: people with roles, and the keys of their programs, of which only hashes are kept."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gptwright.foundations.errors import InputError
from gptwright.store.tables import Key, User

PREFIX = "gw-"
"""by which a key is known where it should not stand"""
NAME = r"^[\w.@-]{1,64}$"
"""what a user may be called"""


class Admitted(NamedTuple):
    """Whose a key is, and what it may do."""

    key_id: str
    name: str
    role: str
    per_minute: int | None


def add_user(session: Session, name: str, role: str) -> User:
    """Somebody new. Raises `InputError` for a name that is taken."""
    if session.scalar(select(User).where(User.name == name)):
        raise InputError("a name that nobody has", f"'{name}'", "Choose another.")
    made = User(name=name, role=role)
    session.add(made)
    session.flush()
    return made


def find_user(session: Session, name: str) -> User:
    """Raises `InputError` when there is none."""
    found = session.scalar(select(User).where(User.name == name))
    if found is None:
        raise InputError("the name of a user", f"'{name}'", "Name one that is there.")
    return found


def users(session: Session) -> Sequence[User]:
    """Everybody, in the order in which they came."""
    return session.scalars(select(User).order_by(User.number)).all()


def add_key(
    session: Session, name: str, *, title: str = "", until: float | None = None, per_minute: int | None = None
) -> tuple[Key, str]:
    """A key for a user, and its secret, which is told this once. Raises `InputError` when there is no such user."""
    find_user(session, name)
    secret = PREFIX + secrets.token_urlsafe(32)
    made = Key(user=name, title=title, digest=digest_of(secret), until=until, per_minute=per_minute)
    session.add(made)
    session.flush()
    return made, secret


def keys_of(session: Session, name: str) -> Sequence[Key]:
    """A user's that still count."""
    return session.scalars(select(Key).where(Key.user == name, Key.withdrawn.is_(False)).order_by(Key.number)).all()


def withdraw_key(session: Session, id: str, *, user: str | None = None) -> bool:
    """It opens nothing any more. False where there is none, or the user has none of this id."""
    own = () if user is None else (Key.user == user,)
    found = session.scalar(select(Key).where(Key.id == id, Key.withdrawn.is_(False), *own))
    if found:
        session.execute(update(Key).where(Key.id == id).values(withdrawn=True))
    return found is not None


def admitted(session: Session, secret: str) -> Admitted | None:
    """Whose key it is; None for one that is unknown, over or withdrawn, and for whoever may not come in any more."""
    asked = select(Key, User).join(User, User.name == Key.user).where(Key.digest == digest_of(secret))
    found = session.execute(asked.where(Key.withdrawn.is_(False), User.active)).tuples().first()
    if found is None or (found[0].until is not None and found[0].until < time.time()):
        return None
    key, user = found
    return Admitted(key.id, user.name, user.role, key.per_minute)


def digest_of(secret: str) -> str:
    """What is kept of a key. It holds 256 random bits, so that a fast hash cannot be turned back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
