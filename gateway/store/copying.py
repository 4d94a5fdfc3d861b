"""A whole database copied to another one, of the same kind or the other: all of it, verified, or nothing.

What is encrypted is copied as it is: it was encrypted for its table, column and row, and these stay the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, exists, func, insert, inspect, select, text

from connectors.errors import ITMustAct
from gateway.store import migrate
from gateway.store.backend import Backend
from gateway.store.database import Place, alone, backend_of, require_current, translated
from gateway.store.problems import SYSTEM
from gateway.store.schema import change_count, feed_change, metadata

_ROWS_AT_ONCE = 500
_COUNTED = (change_count, feed_change)


class CopyRefused(ITMustAct):
    """The copy cannot be made, or did not come out equal. The target holds nothing of it."""

    default_remedy = "Name a new file, or a PostgreSQL database without tables."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, system=SYSTEM, remedy=remedy)


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """One table, equal on both ends. `digest`: SHA-256 of its rows as read, in the order of their keys; hexadecimal."""

    name: str
    rows: int
    digest: str


def copy_database(source: Place, target: Place) -> tuple[CopiedTable, ...]:
    """Copy everything to `target`, which has no tables, or this version's tables and nothing in them.

    Nobody syncs on either and nobody writes meanwhile. Rows keep their numbers, and numbers that were given once are
    not given again. Everything happens in one transaction of the target, which ends after both ends have proven equal:
    a copy that is interrupted leaves what was there before.

    Raises `AnotherSync`, `UnmigratedDatabase`, `CopyRefused`, and what opening either raises.
    """
    origin, goal = backend_of(source), backend_of(target)
    if origin.where == goal.where:
        raise CopyRefused(f"{goal.where} is the database itself")
    if goal.in_memory:
        raise CopyRefused("a database in memory keeps nothing")
    origin.require_place()
    with ExitStack() as stack:
        reading = _whole(origin, stack)
        require_current(reading)
        goal.create()
        writing = _whole(goal, stack)
        goal.require_fit(writing)
        _prepare(goal, writing)
        copied = tuple(_copy(table, reading, writing) for table in _in_order())
        _carry_numbers_given(reading, writing)
        for one in copied:
            if _read_back(metadata.tables[one.name], writing) != one:
                raise CopyRefused(f"the table {one.name} did not come out equal; nothing of the copy is kept")
    return copied


def _whole(backend: Backend, stack: ExitStack) -> Connection:
    """The database for ourselves until the stack ends, when its transaction is committed, or undone after an error."""
    stack.enter_context(translated(backend))
    stack.enter_context(backend.sync_lock())
    return stack.enter_context(alone(backend))


def _prepare(goal: Backend, writing: Connection) -> None:
    if set(inspect(writing).get_table_names()).isdisjoint(metadata.tables):
        migrate.upgrade_connection(writing)
    require_current(writing)
    filled = [name for name, table in metadata.tables.items() if writing.scalar(select(exists().select_from(table)))]
    if filled:
        raise CopyRefused(f"{goal.where} is not empty: there are rows in {', '.join(sorted(filled))}")


def _in_order() -> list[Table]:
    """What a table refers to comes before it; last what the target counted itself while others were filled."""
    return [*(table for table in metadata.sorted_tables if table not in _COUNTED), *_COUNTED]


def _copy(table: Table, reading: Connection, writing: Connection) -> CopiedTable:
    digest, count = hashlib.sha256(), 0
    if table in _COUNTED:
        writing.execute(delete(table))
    for rows in _batches(table, reading):
        writing.execute(insert(table), [row._asdict() for row in rows])
        count += _digest(rows, digest)
    return CopiedTable(table.name, count, digest.hexdigest())


def _read_back(table: Table, writing: Connection) -> CopiedTable:
    digest, count = hashlib.sha256(), 0
    for rows in _batches(table, writing):
        count += _digest(rows, digest)
    return CopiedTable(table.name, count, digest.hexdigest())


def _batches(table: Table, connection: Connection) -> Iterator[Sequence[Row[Any]]]:
    query = select(table).order_by(*table.primary_key)
    return connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}).partitions()


def _digest(rows: Sequence[Row[Any]], digest: Any) -> int:
    """Python's own notation of a row: of one form for each value, whichever database it was read from."""
    for row in rows:
        digest.update(repr(tuple(row)).encode())
    return len(rows)


# --- numbers that the database gives -------------------------------------------------------------------------


def _carry_numbers_given(reading: Connection, writing: Connection) -> None:
    for table in metadata.sorted_tables:
        if table.autoincrement_column is not None:
            _set_highest_given(writing, table, _highest_given(reading, table))


def _highest_given(connection: Connection, table: Table) -> int:
    """The highest number ever given to a row, be it one that is gone."""
    if connection.dialect.name == "postgresql":
        sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name})
        given = connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value END FROM {sequence}"))  # noqa: S608 - quoted by the server
    else:
        given = connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
    return max(given or 0, connection.scalar(select(func.max(table.c.id))) or 0)


def _set_highest_given(connection: Connection, table: Table, number: int) -> None:
    values = {"name": table.name, "number": number}
    if connection.dialect.name == "postgresql":
        if number:
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :number)"), values)
    elif table.dialect_options["sqlite"]["autoincrement"]:  # without it SQLite goes by the rows that are there
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), values)
