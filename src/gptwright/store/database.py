"""The database behind the store: SQLite in a file, or PostgreSQL by URL; its version, its transactions, its copy.

What a `write` block did is on the disk when the block ends, or none of it is: SQLite runs with a write-ahead log that
is flushed at every commit, PostgreSQL as it always does.
"""

import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from gptwright.foundations.atomic_io import translate_os_errors, write_file
from gptwright.foundations.errors import ArtifactError, ConfigError, InputError, ResourceError, found_at

FILE = "store.sqlite"
"""the store of a run, in its folder"""
MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE = 30.0  # seconds to wait for others who write
ONE_AT_A_TIME = 0x67707477  # PostgreSQL's lock of those who migrate


class Store:
    """An open database. Safe to use from several threads; other processes may use the same database."""

    def __init__(self, engine: Engine, patience: float = PATIENCE) -> None:
        self._engine, self._patience = engine, patience
        self._line = Lock() if engine.dialect.name == "sqlite" else None
        if self._line:
            self._snapshots = engine.execution_options(reads=True)
        else:
            self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ")

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        url = self._engine.url
        return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Generator[Session]:
        """A transaction. Raises `ResourceError` when the database cannot keep it, `InputError` when rows do not fit."""
        session = Session(self._engine, expire_on_commit=False)
        with _translated(self.name), self._turn(), session, session.begin():
            session.connection()  # begins now: of SQLite only one writes at a time
            yield session

    @contextmanager
    def _turn(self) -> Generator[None]:
        """SQLite waits by looking again and again, by which some wait very long: threads here stand in line."""
        if self._line is None:
            yield
            return
        if not self._line.acquire(timeout=self._patience):
            raise _unreachable(self.name, f"another that writes for over {self._patience:.0f} s")
        try:
            yield
        finally:
            self._line.release()

    @contextmanager
    def read(self) -> Generator[Session]:
        """The database as it is when the block first reads, whoever writes meanwhile."""
        with _translated(self.name), Session(self._snapshots) as session:
            yield session

    def backup(self, path: Path) -> None:
        """A copy at `path`, also while others write. Raises `ConfigError` for PostgreSQL, which has its own."""
        if self._engine.dialect.name != "sqlite":
            raise ConfigError("a store in a file of SQLite", self.name,
                              "Use pg_dump, or: gptwright store export URL FILE --format rows")  # fmt: skip
        if path.exists():
            raise InputError(f"a new file at {path}", found_at(path), "Choose another name for the copy.")
        write_file(path, self._copy)

    def _copy(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as copy, self._engine.connect() as connection:
            own: Any = connection.connection.driver_connection
            own.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, not three

    def close(self) -> None:
        """Gives its connections back; what was written is written."""
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(place: str | Path, *, create: bool = True, patience: float = PATIENCE) -> Store:
    """The store at `place`: a URL (postgresql://…, sqlite:///…), a file, or a run's folder. It is made, or its tables
    are brought up to date, when needed; `patience`: seconds to wait for others who write.

    Raises `ConfigError` for another kind of URL, `InputError` without `create` when there is none, `ArtifactError` for
    one of a newer version or of another program, `ResourceError` when it cannot be reached.
    """
    url = parse_place(place)
    path = Path(str(url.database))
    if url.get_backend_name() == "sqlite":
        if not create and not path.is_file():
            raise InputError(f"a store at {path}", found_at(path), "Correct the path; serve makes the store of a run.")
        with translate_os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"timeout": patience}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    store = Store(engine, patience)
    try:
        with _translated(store.name):
            _once_unlocked(lambda: _migrate(engine, store.name), patience)
    except BaseException:
        store.close()
        raise
    return store


def parse_place(place: str | Path) -> URL:
    """The URL of what a person calls the store. Raises `ConfigError` when it means nothing."""
    if "://" not in str(place):
        path = Path(place)
        return URL.create("sqlite", database=str(path / FILE if path.is_dir() else path))
    try:
        url = make_url(str(place))
    except (ArgumentError, ValueError) as error:
        raise _no_url(str(place).partition("://")[0]) from error
    if url.get_backend_name() == "sqlite" and url.database:
        return url
    if url.get_backend_name() != "postgresql":
        raise _no_url(url.drivername)
    if find_spec("psycopg") is None:
        raise ConfigError("psycopg, for PostgreSQL", "none installed", "pip install 'gptwright[postgresql]'")
    return url.set(drivername="postgresql+psycopg")


def _no_url(kind: str) -> ConfigError:
    return ConfigError("a run's folder, a file of SQLite, or a URL", f"one that begins with '{kind}:'",
                       "Write postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE.")  # fmt: skip


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    for setting in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _once_unlocked(work: Callable[[], None], patience: float) -> None:
    """SQLite refuses at once where several open a new file together: only one of them may choose its journal."""
    end = time.monotonic() + patience
    while True:
        try:
            return work()
        except DBAPIError as error:
            if "database is locked" not in str(error.orig) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _migrate(engine: Engine, name: str) -> None:
    """Brings the tables to this version, in one transaction that no other migration shares."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    versions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
        found = MigrationContext.configure(connection).get_current_revision()
        if found == versions[0]:
            return
        if found is None and inspect(connection).get_table_names():
            raise ArtifactError(f"a store, or an empty database, at {name}", "tables of another program",
                                "Give another database.")  # fmt: skip
        if found is not None and found not in versions:
            raise ArtifactError(f"a store of version {versions[0]} or older at {name}", f"one of version {found}",
                                "Update gptwright, or go on with a copy made before that.")  # fmt: skip
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _translated(name: str) -> Generator[None]:
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise InputError("rows that fit those of the store", _said(error), "Name what is there.") from error
    except DBAPIError as error:
        if "not a database" in str(error.orig) or "malformed" in str(error.orig):
            raise ArtifactError(f"a database of SQLite at {name}", _said(error), "Go on with a copy of it.") from error
        raise _unreachable(name, _said(error)) from error


def _unreachable(name: str, got: str) -> ResourceError:
    return ResourceError(f"to read and write the store {name}", got,
                         "Look whether the database is there, may be written and has room.")  # fmt: skip


def _said(error: DBAPIError) -> str:
    return f"'{str(error.orig).strip().splitlines()[0]}'"
