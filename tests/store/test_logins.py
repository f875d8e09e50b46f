"""A login opens what its user may, until it is over, ended, or its user leaves."""

import pytest
from sqlalchemy import select, update

from gptwright.foundations.errors import InputError
from gptwright.store.database import Store
from gptwright.store.logins import MOST, SECONDS, add_login, end_login, end_logins, logged_in, set_active
from gptwright.store.people import add_user, admitted, find_user
from gptwright.store.rows import dump_rows
from gptwright.store.tables import Login


def test_it_opens_until_it_does_not(store: Store) -> None:
    with store.write() as session:
        for name in ("anna", "ben"):
            add_user(session, name, "labeller")
        first, second, other = (add_login(session, name) for name in ("anna", "anna", "ben"))
        assert logged_in(session, first) == ("", "anna", "labeller", None)
        assert logged_in(session, first + "x") is None and admitted(session, first) is None
        find_user(session, "anna").role = "owner"
        session.flush()
        assert logged_in(session, first) == ("", "anna", "owner", None)
        end_login(session, first)
        assert logged_in(session, first) is None and logged_in(session, second)
        end_logins(session, "anna")
        assert logged_in(session, second) is None and logged_in(session, other)


def test_who_left_and_comes_back_comes_in_anew(store: Store) -> None:
    with store.write() as session:
        add_user(session, "anna", "labeller")
        before = add_login(session, "anna")
        for active in (False, True):
            set_active(session, "anna", active)
            session.flush()
            assert logged_in(session, before) is None
        assert logged_in(session, add_login(session, "anna"))


def test_it_ends_by_itself_and_goes(store: Store) -> None:
    with store.write() as session:
        add_user(session, "anna", "labeller")
        before = add_login(session, "anna")
        until, created = session.execute(select(Login.until, Login.created)).one()
        assert until - created == pytest.approx(SECONDS, abs=60)
        session.execute(update(Login).values(until=1.0))
        assert logged_in(session, before) is None
        add_login(session, "anna")
        assert len(session.scalars(select(Login)).all()) == 1


def test_one_has_few_and_the_oldest_goes(store: Store) -> None:
    with store.write() as session:
        for name in ("anna", "ben"):
            add_user(session, name, "labeller")
        other = add_login(session, "ben")
        secrets = [add_login(session, "anna") for _ in range(MOST + 1)]
        assert [bool(logged_in(session, secret)) for secret in secrets] == [False, *[True] * MOST]
        assert logged_in(session, other)


def test_secrets_are_kept_nowhere(store: Store) -> None:
    with store.write() as session:
        add_user(session, "anna", "owner")
        secret = add_login(session, "anna")
        assert len(secret) >= 43  # 256 bits
        assert secret not in str(vars(session.scalars(select(Login)).one())) and not list(dump_rows(session))
        with pytest.raises(InputError, match="name of a user"):
            add_login(session, "ben")
