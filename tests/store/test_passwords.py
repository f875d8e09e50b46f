"""Passwords: one is right, whatever keyboard it came from; its hash alone is kept."""

import pytest

from gptwright.foundations.errors import InputError
from gptwright.store.database import Store
from gptwright.store.logins import add_login, logged_in, set_active
from gptwright.store.passwords import (
    an_owner_has_one,
    anybody_has_one,
    hash_password,
    matches,
    password_hash,
    set_password,
)
from gptwright.store.people import add_user, find_user


def test_one_password_is_right() -> None:
    hash = hash_password("pässword 密码")
    assert hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and "ssword" not in hash
    assert matches(hash, "pässword 密码") and matches(hash, "pa\u0308ssword 密码")
    assert not any(matches(hash, wrong) for wrong in ("", "password 密码", "pässword 密码 ", "x" * 10_000))
    assert not matches(None, "pässword 密码") and hash_password("pässword 密码") != hash


@pytest.mark.parametrize("password", ["", "seven77", "x" * 257])
def test_its_length_is_bounded(password: str) -> None:
    with pytest.raises(InputError, match="8 to 256") as refused:
        hash_password(password)
    assert not password or password not in str(refused.value)


def test_it_is_of_who_may_come_in_and_another_ends_all_logins(store: Store) -> None:
    with store.write() as session:
        add_user(session, "anna", "owner")
        assert not an_owner_has_one(session) and password_hash(session, "anna") is None
        set_password(session, "anna", "hash")
        assert an_owner_has_one(session) and anybody_has_one(session) and password_hash(session, "anna") == "hash"
        came_in = add_login(session, "anna")
        set_password(session, "anna", "other")
        assert logged_in(session, came_in) is None and password_hash(session, "anna") == "other"
        find_user(session, "anna").role = "chatter"
        session.flush()
        assert not an_owner_has_one(session) and anybody_has_one(session)
        set_active(session, "anna", False)
        session.flush()
        assert not anybody_has_one(session) and password_hash(session, "anna") is None
        with pytest.raises(InputError, match="name of a user"):
            set_password(session, "ben", "hash")
