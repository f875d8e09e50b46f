"""A whole store as lines, with all that was ever said, and such lines as a store: from one database into another. Who
may come in is left out: a file of it would be a secret.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.store.tables import Base

SECRET = ("users", "keys", "logins")
TABLES = {table.name: table for table in Base.metadata.sorted_tables if table.name not in SECRET}
"""each behind those that it refers to"""
BATCH = 500  # rows


def dump_rows(session: Session) -> Iterator[dict[str, Any]]:
    """Every row, in the order in which they were added; their numbers in the tables are left out."""
    for name, table in TABLES.items():
        columns = [column for column in table.columns if column.name != "number"]
        for row in session.execute(select(*columns).order_by(table.c.number)).mappings():
            yield {"table": name} | dict(row)


def load_rows(session: Session, lines: Iterable[Mapping[str, Any]]) -> int:
    """Fills an empty store; how many rows there are. Raises `InputError` for a line of another kind or a store in use,
    `ArtifactError` for a column of another version."""
    if any(session.execute(select(table).limit(1)).first() for table in TABLES.values()):
        raise InputError("an empty store for rows", "one with rows", "Give a new one: its file is made.")
    batch: list[dict[str, Any]] = []
    count, name = 0, ""
    for line in lines:
        if line.get("table") not in TABLES:
            raise InputError("the name of a table in every line", repr(line.get("table"))[:60],
                             "Give a file of: gptwright store export STORE FILE --format rows")  # fmt: skip
        if line["table"] != name or len(batch) == BATCH:
            _insert(session, name, batch)
            name, batch = str(line["table"]), []
        batch.append({column: value for column, value in line.items() if column != "table"})
        count += 1
    _insert(session, name, batch)
    return count


def _insert(session: Session, name: str, batch: list[dict[str, Any]]) -> None:
    if not batch:
        return
    columns = {column.name for column in TABLES[name].columns} - {"number"}
    if any(row.keys() != columns for row in batch):
        raise ArtifactError(f"rows of {name} with the columns {', '.join(sorted(columns))}", "others",
                            "Export them with this version of gptwright.")  # fmt: skip
    session.execute(insert(TABLES[name]), batch)
