"""Insert-or-update in the words of whichever database it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import Connection, Table, or_
from sqlalchemy.dialects import postgresql, sqlite

Insert = sqlite.Insert | postgresql.Insert


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Make the rows of `table` with these primary keys as given. A row that is already so is not written.

    Every row names the same columns. Encrypted columns never compare equal: leave unchanged rows out beforehand.
    """
    if rows:
        connection.execute(_statement(connection.dialect.name, table, tuple(rows[0])), rows)


@lru_cache(maxsize=64)
def _statement(dialect: str, table: Table, names: tuple[str, ...]) -> Insert:
    insert: Insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    key = [column.name for column in table.primary_key]
    given = {name: insert.excluded[name] for name in names if name not in key}
    if not given:
        return insert.on_conflict_do_nothing(index_elements=key)
    return insert.on_conflict_do_update(
        index_elements=key,
        set_=given,
        where=or_(*(table.c[name].is_distinct_from(value) for name, value in given.items())),
    )
