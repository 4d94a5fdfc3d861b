"""Figures of a whole database: how large, how sound, how much of what. No content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from gateway.store.schema import (
    REVISION,
    agreed_copy,
    agreed_mirror,
    journal,
    metadata,
    pool_block,
    suppression,
)

_MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """`faults`: what its own integrity check finds, None where there is none. `rows`: by table."""

    kind: str
    version: str
    revision: str
    expected_revision: str
    size: int  # bytes
    faults: int | None
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """`counts`: entries since an instant, by side, action, object and rule."""

    entries: int
    first_at: datetime | None
    last_at: datetime | None
    counts: tuple[tuple[str, str, str, str, int], ...]


def database_facts(connection: Connection) -> DatabaseFacts:
    """Reads every table once, and has SQLite check itself."""
    kind = connection.dialect.name
    is_sqlite = kind == "sqlite"
    version = text("SELECT sqlite_version()") if is_sqlite else text("SHOW server_version")
    size = (
        text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        if is_sqlite
        else text("SELECT pg_database_size(current_database())")
    )
    return DatabaseFacts(
        kind=kind,
        version=str(connection.execute(version).scalar()),
        revision=str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar()),
        expected_revision=REVISION,
        size=int(connection.execute(size).scalar() or 0),
        faults=_faults(connection) if is_sqlite else None,
        rows={
            table.name: int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)
            for table in metadata.sorted_tables
        },
    )


def _faults(connection: Connection) -> int:
    found = connection.execute(text(f"PRAGMA quick_check({_MOST_FAULTS})")).scalars().all()
    return 0 if list(found) == ["ok"] else len(found)


def agreed_counts(connection: Connection) -> dict[int, dict[str, int]]:
    """By agent: how many copies, blocks, mirrors and suppressions are agreed."""
    counts: dict[int, dict[str, int]] = {}
    for name, table in (
        ("copies", agreed_copy),
        ("blocks", pool_block),
        ("mirrors", agreed_mirror),
        ("suppressions", suppression),
    ):
        query = select(table.c.agent_id, func.count()).group_by(table.c.agent_id)
        for agent_id, count in connection.execute(query):
            counts.setdefault(agent_id, {})[name] = count
    return counts


def journal_facts(connection: Connection, since: datetime) -> JournalFacts:
    """Of the whole journal, and what it holds since then."""
    entries, first, last = connection.execute(
        select(func.count(), func.min(journal.c.at), func.max(journal.c.at))
    ).one()
    kinds = (journal.c.side, journal.c.action, journal.c.object, journal.c.rule)
    query = select(*kinds, func.count()).where(journal.c.at >= since).group_by(*kinds).order_by(*kinds)
    counts = tuple((str(a), str(b), str(c), str(d), int(count)) for a, b, c, d, count in connection.execute(query))
    return JournalFacts(int(entries), first, last, counts)
