"""Logins: what a person's browser shows after the password was right. Only hashes of their secrets are kept."""

import secrets
import time

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gptwright.store.people import Admitted, digest_of, find_user
from gptwright.store.tables import Login, User

SECONDS = 14 * 86_400
"""for which a login counts"""
MOST = 20
"""of one person at once; the oldest goes"""


def add_login(session: Session, name: str) -> str:
    """The secret of a new one, which is told this once. Raises `InputError` when there is no such user."""
    find_user(session, name)
    session.execute(delete(Login).where(Login.until < time.time()))
    newest = select(Login.number).where(Login.user == name).order_by(Login.number.desc()).limit(MOST - 1)
    kept = session.scalars(newest).all()
    session.execute(delete(Login).where(Login.user == name, Login.number.not_in(kept)))
    secret = secrets.token_urlsafe(32)
    session.add(Login(user=name, digest=digest_of(secret), until=time.time() + SECONDS))
    session.flush()
    return secret


def logged_in(session: Session, secret: str) -> Admitted | None:
    """Who came in with it; None for one that is unknown, over or ended, and for whoever may not come in any more."""
    asked = select(User).join(Login, Login.user == User.name)
    user = session.scalar(asked.where(Login.digest == digest_of(secret), Login.until >= time.time(), User.active))
    return Admitted("", user.name, user.role, None) if user else None


def end_login(session: Session, secret: str) -> None:
    """It opens nothing any more."""
    session.execute(delete(Login).where(Login.digest == digest_of(secret)))


def set_active(session: Session, name: str, active: bool) -> None:
    """Whether a user may come in; who may not is out at once. Raises `InputError` when there is no such user."""
    find_user(session, name).active = active
    if not active:
        end_logins(session, name)


def end_logins(session: Session, name: str) -> None:
    """Nothing that this user came in with opens any more."""
    session.execute(delete(Login).where(Login.user == name))
