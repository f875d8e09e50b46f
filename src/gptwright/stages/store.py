"""store: what people said and did in a run, shown, copied, carried out and in; who may come in."""

import getpass
import re
import sys
from collections import Counter
from pathlib import Path

from sqlalchemy import func, select

from gptwright.configs.store import UseStore
from gptwright.foundations.errors import InputError, found_at
from gptwright.foundations.progress import say
from gptwright.store.database import Store, open_store
from gptwright.store.exports import FORMATS
from gptwright.store.feedback_file import take_feedback_file
from gptwright.store.import_lines import READERS
from gptwright.store.labels import labels
from gptwright.store.passwords import hash_password, set_password
from gptwright.store.people import NAME, add_user
from gptwright.store.roles import Role
from gptwright.store.rows import TABLES
from gptwright.store.tables import User
from gptwright.text.jsonl import read_objects, write_objects


def run(config: UseStore) -> None:
    """Prints what there is, or says what was copied, written or taken in. Raises as the readers of the files do."""
    with open_store(config.store, create=config.action in ("import", "user")) as store:
        if config.action == "user":
            _let_in(store, str(config.name), config.role)
        elif config.file is None:
            _show(store)
        elif config.action == "backup":
            store.backup(config.file)
            say(f"store: {config.file} is a copy of {store.name}")
        elif config.action == "export":
            _export(store, config.file, config.format)
        else:
            _import(store, config.file, config.format)


def _show(store: Store) -> None:
    """A line for each table, and for each kind of label those that count."""
    with store.read() as session:
        print(store.name)
        for name, table in TABLES.items():
            print(f"  {name:14} {session.scalar(select(func.count()).select_from(table)):,}")
        for kind, count in sorted(Counter(label.kind for label in labels(session)).items()):
            print(f"  {kind:14} {count:,}")


def _let_in(store: Store, name: str, role: Role | None) -> None:
    """Somebody new, or another password and role of somebody who is there."""
    if not re.fullmatch(NAME, name):
        raise InputError("a name of 1 to 64 letters, digits, or . @ _ -", repr(name)[:80], "Choose another.")
    hash = hash_password(_ask_password())
    with store.write() as session:
        user = session.scalar(select(User).where(User.name == name)) or add_user(session, name, role or "chatter")
        user.role = role or user.role
        set_password(session, name, hash)
        say(f"store: {name} comes in as {user.role} with this password")


def _ask_password() -> str:
    """On a terminal twice, as it cannot be seen there; else the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise InputError("the same password twice", "two different ones", "Type it again.")
    return password


def _export(store: Store, path: Path, format: str) -> None:
    if path.exists():
        raise InputError(f"a new file at {path}", found_at(path), "Choose another name.")
    with store.read() as session:
        lines = list(FORMATS[format](session))
    write_objects(path, lines)
    say(f"store: {len(lines):,} lines of {format} in {path}")


def _import(store: Store, path: Path, format: str) -> None:
    if format == "thumbs":
        taken = take_feedback_file(store, path) if path.is_file() else len(read_objects(path))
        say(f"store: {taken:,} thumbs taken in")
        return
    lines = read_objects(path)
    with store.write() as session:
        taken = READERS[format](session, lines)
    rest = "; the others are there already" if taken < len(lines) else ""
    say(f"store: {taken:,} of {len(lines):,} lines taken in{rest}")
