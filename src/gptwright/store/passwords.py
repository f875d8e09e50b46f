"""Local passwords: of each only a salted hash is kept that is slow to compute, so that a stolen store is no list of
passwords.

argon2id, with the least that OWASP recommends: 19 MiB and two passes take some 50 ms, and the memory of a laptop can
bear it.
"""

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from gptwright.foundations.errors import InputError
from gptwright.store.logins import end_logins
from gptwright.store.people import find_user
from gptwright.store.tables import User

SHORTEST, LONGEST = 8, 256  # characters
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    """What is kept of it. Raises `InputError` for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(f"a password of {SHORTEST} to {LONGEST} characters", f"one of {len(password)}",
                         "Three or four words that nobody would expect beside each other are easily kept.")  # fmt: skip
    return HASHER.hash(_composed(password))


def matches(hash: str | None, password: str) -> bool:
    """Whether it is the password of this hash. None, of somebody unknown, takes as long as any other."""
    try:
        HASHER.verify(hash or _hash_of_nobody(), _composed(password[:LONGEST]))
    except VerifyMismatchError:
        return False
    return hash is not None and len(password) <= LONGEST


def password_hash(session: Session, name: str) -> str | None:
    """Of a user who may come in; None where there is none."""
    return session.scalar(select(User.password).where(User.name == name, User.active))


def set_password(session: Session, name: str, hash: str) -> None:
    """From now on it is this one, and all logins end. Raises `InputError` when there is no such user."""
    find_user(session, name).password = hash
    session.flush()
    end_logins(session, name)


def an_owner_has_one(session: Session) -> bool:
    """Whether an owner can come in with a password."""
    owner = exists().where(User.role == "owner", User.active, User.password.is_not(None))
    return bool(session.scalar(select(owner)))


def anybody_has_one(session: Session) -> bool:
    """Whether there is somebody who can come in with a password."""
    return bool(session.scalar(select(exists().where(User.active, User.password.is_not(None)))))


def _composed(password: str) -> str:
    """One form of what keyboards write in several."""
    return unicodedata.normalize("NFKC", password)


@cache
def _hash_of_nobody() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))
