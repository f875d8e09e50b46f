"""The database: made, brought up to date or refused; what was acknowledged outlives everything."""

import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select

from gptwright.foundations.errors import ArtifactError, ConfigError, InputError, ResourceError
from gptwright.store import database
from gptwright.store.database import Store, open_store, parse_place
from gptwright.store.messages import add_conversation
from gptwright.store.tables import Base, Conversation
from gptwright.store.tasks import take_task


def titles(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.scalars(select(Conversation.title).order_by(Conversation.number)))


def add(store: Store, *names: str) -> None:
    with store.write() as session:
        for name in names:
            add_conversation(session, title=name)


def test_what_is_written_is_there_when_it_is_opened_again(place: str) -> None:
    with open_store(place) as store:
        add(store, "one", "two")
    with open_store(place, create=False) as store:
        assert titles(store) == ["one", "two"]


def test_a_block_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as session:
        add_conversation(session, title="one")
        _ = 1 / 0
    with pytest.raises(InputError), store.write() as session:
        add_conversation(session, id="a")
        add_conversation(session, id="a")
    assert titles(store) == []


def test_a_reader_sees_one_moment(store: Store) -> None:
    add(store, "one")
    with store.read() as session:
        before = list(session.scalars(select(Conversation.title)))
        add(store, "two")
        session.expire_all()
        assert list(session.scalars(select(Conversation.title))) == before == ["one"]


def test_the_migrations_make_the_tables(store: Store) -> None:
    with store._engine.connect() as connection:  # pyright: ignore[reportPrivateUsage]
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_sqlite_flushes_every_commit(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, store.read() as session:
        found = [session.scalar(sa.text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 2, 1]


LATER = """
'''Version 6, of the future.'''
import sqlalchemy as sa
from alembic import op

revision, down_revision = "6", "5"

def upgrade() -> None:
    op.add_column("conversations", sa.Column("colour", sa.Text, server_default="red"))
"""


def test_an_older_one_is_brought_up_to_date_and_a_newer_one_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(place) as store:
        add(store, "one")
    future = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, future)
    (future / "versions/v6_colours.py").write_text(LATER)
    with monkeypatch.context() as later:
        later.setattr(database, "MIGRATIONS", future)
        with open_store(place) as store, store.read() as session:
            assert session.execute(sa.text("SELECT title, colour FROM conversations")).all() == [("one", "red")]
    with pytest.raises(ArtifactError) as refused:
        open_store(place)
    assert "version 5 or older" in refused.value.needed and refused.value.got == "one of version 6"
    assert "Update gptwright" in refused.value.remedy


def test_places_of_an_older_one_are_given_in_the_same_order(place: str) -> None:
    engine = sa.create_engine(parse_place(place))
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "3")
        connection.execute(sa.text("INSERT INTO conversations (number, id, owner, title, fields, created)"
                                   " VALUES (1, 'c', '', '', '{}', 0)"))  # fmt: skip
        connection.execute(sa.text("INSERT INTO messages (number, id, conversation_id, role, content, author, model,"
                                   " created) VALUES (1, 'm', 'c', 'user', '[]', '', '', 0)"))  # fmt: skip
        for number, priority in ((1, 0.0), (2, 2.5)):
            row = {"number": number, "id": f"t{number}", "priority": priority}
            connection.execute(sa.text("INSERT INTO tasks (number, id, kind, message_id, fields, priority, created)"
                                       " VALUES (:number, :id, 'rating', 'm', '{}', :priority, 0)"), row)  # fmt: skip
            connection.execute(sa.text("INSERT INTO places (number, task_id, turn, until, done)"
                                       " VALUES (:number, :id, 0, 0, false)"), row)  # fmt: skip
    engine.dispose()
    with open_store(place) as store, store.write() as session:
        taken = [take_task(session, who) for who in ("anna", "ben", "cleo")]
        assert [task.id if task else None for task in taken] == ["t2", "t1", None]


def test_a_database_of_another_program_is_left_alone(place: str) -> None:
    engine = sa.create_engine(parse_place(place))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE cats (name TEXT)"))
    engine.dispose()
    with pytest.raises(ArtifactError, match="another program"):
        open_store(place)


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_text('{"id": "a"}\n' * 100)
    with pytest.raises(ArtifactError, match="feedback"):
        open_store(path)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("mysql://localhost/x", ConfigError),
        ("sqlite://", ConfigError),
        ("://", ConfigError),
        ("postgresql://anna:secret@127.0.0.1:1/x", ResourceError),
    ],
)
def test_places_that_cannot_be_opened(place: str, error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        open_store(place)
    assert "secret" not in str(refused.value)


def test_a_place_is_a_folder_a_file_or_a_url(tmp_path: Path) -> None:
    assert parse_place(tmp_path).database == str(tmp_path / "store.sqlite")
    assert parse_place(tmp_path / "a.db").database == str(tmp_path / "a.db")
    assert parse_place("sqlite:///a.db").database == "a.db"
    assert parse_place("postgresql://h/x").drivername == "postgresql+psycopg"
    with pytest.raises(InputError, match="nothing there"):
        open_store(tmp_path / "none.sqlite", create=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError):
        open_store(tmp_path / "file" / "store.sqlite")


def test_who_waits_too_long_is_told(tmp_path: Path) -> None:
    with open_store(tmp_path) as one, open_store(tmp_path, patience=0.05) as other:
        with one.write(), pytest.raises(ResourceError, match="locked"), other.write():
            pass
        add(other, "one")


def test_of_the_threads_of_a_process_one_writes_after_another(tmp_path: Path) -> None:
    """None of those that wait holds a connection, so that readers never find the last one taken."""
    with open_store(tmp_path) as store:
        waiting = [threading.Thread(target=add, args=(store, str(number))) for number in range(50)]
        with store.write():
            for thread in waiting:
                thread.start()
            assert titles(store) == [] and store._engine.pool.checkedout() == 1  # pyright: ignore
        for thread in waiting:
            thread.join()
        assert sorted(titles(store), key=int) == [str(number) for number in range(50)]


def test_a_thread_that_waits_too_long_is_told(tmp_path: Path) -> None:
    with open_store(tmp_path, patience=0.05) as store:
        with store.write(), pytest.raises(ResourceError, match="another that writes"), store.write():
            pass
        add(store, "one")


def test_a_copy_is_whole_while_others_write(tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            add(store, "one", "other")

    with open_store(tmp_path) as store:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(3):
                store.backup(tmp_path / f"{number}.sqlite")
        finally:
            stop.set()
            writer.join()
        counts: list[int] = []
        for number in range(3):
            with open_store(tmp_path / f"{number}.sqlite") as copy:
                counts.append(len(titles(copy)))
        assert counts == sorted(counts) and all(count % 2 == 0 for count in counts)
        with pytest.raises(InputError, match="a file"):
            store.backup(tmp_path / "0.sqlite")
    assert not list(tmp_path.glob("*.sqlite-*"))


@pytest.mark.postgresql
def test_postgresql_has_its_own_copies(postgresql: str, tmp_path: Path) -> None:
    from .conftest import new_database

    with open_store(new_database(postgresql)) as store, pytest.raises(ConfigError, match="pg_dump"):
        store.backup(tmp_path / "copy.sqlite")


OPENER = (
    "import sys; from gptwright.store.database import open_store; sys.stdin.read(1); open_store(sys.argv[1]).close()"
)


def test_several_open_a_new_one_at_the_same_moment(place: str) -> None:
    command = [sys.executable, "-c", OPENER, place]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    found = [opener.communicate("x", timeout=120) for opener in openers]
    assert [opener.returncode for opener in openers] == [0, 0, 0], found
    with open_store(place) as store:
        assert titles(store) == []


WRITER = """
import sys
from gptwright.store.database import open_store
from gptwright.store.messages import add_conversation

with open_store(sys.argv[1]) as store:
    for number in range(10**6):
        with store.write() as session:
            add_conversation(session, title=f"{sys.argv[2]}.{number}")
            add_conversation(session, title=f"{sys.argv[2]}.{number}, its other half")
        print(number, flush=True)
"""


def test_what_was_acknowledged_outlives_a_killed_writer(place: str) -> None:
    dice, acknowledged = random.Random(1), set[str]()
    for life in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, place, str(life)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        for _ in range(dice.randrange(1, 40)):
            acknowledged.add(f"{life}.{int(writer.stdout.readline())}")
        threading.Event().wait(dice.random() / 100)
        writer.kill()
        acknowledged |= {f"{life}.{int(line)}" for line in writer.stdout.read().split()}
        writer.stdout.close()
        writer.wait()
    with open_store(place) as store:
        found = titles(store)
    whole = {title for title in found if "half" not in title}
    assert acknowledged <= whole and len(whole) <= len(acknowledged) + 4  # one more may be written than was said
    assert len(found) == len(set(found)) == 2 * len(whole)
    if "://" not in place:
        with closing(sqlite3.connect(place)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
