"""People and keys: a key opens what its owner may, until it ends, is withdrawn or its owner leaves."""

import pytest

from gptwright.foundations.errors import InputError
from gptwright.store.database import Store
from gptwright.store.people import add_key, add_user, admitted, find_user, keys_of, withdraw_key
from gptwright.store.rows import dump_rows


def test_a_key_opens_until_it_does_not(store: Store) -> None:
    with store.write() as session:
        add_user(session, "anna", "labeller")
        key, secret = add_key(session, "anna", per_minute=5)
        _, over = add_key(session, "anna", until=1.0)
        assert admitted(session, secret) == (key.id, "anna", "labeller", 5)
        assert admitted(session, over) is None and admitted(session, secret + "x") is None
        find_user(session, "anna").active = False
        session.flush()
        assert admitted(session, secret) is None
        find_user(session, "anna").active = True
        session.flush()
        assert not withdraw_key(session, key.id, user="ben") and admitted(session, secret)
        assert withdraw_key(session, key.id, user="anna") and not withdraw_key(session, key.id)
        assert admitted(session, secret) is None and len(keys_of(session, "anna")) == 1


def test_secrets_are_kept_nowhere(store: Store) -> None:
    with store.write() as session:
        add_user(session, "anna", "owner")
        key, secret = add_key(session, "anna")
        assert secret not in str(vars(key)) and not list(dump_rows(session))


def test_names_are_given_once_and_keys_to_somebody(store: Store) -> None:
    with pytest.raises(InputError, match="nobody has"), store.write() as session:
        add_user(session, "anna", "owner")
        add_user(session, "anna", "chatter")
    with pytest.raises(InputError, match="name of a user"), store.write() as session:
        add_key(session, "ben")
