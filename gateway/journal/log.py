"""The journal's entries in the database. They are added and read; nothing here, nor the database, changes one."""

from __future__ import annotations

import json

from sqlalchemy import Connection, insert, select

from gateway.keys import Keyring
from gateway.store.codec import dump_json
from gateway.store.schema import journal, journal_content
from gateway.store.values import JournalRow
from gateway.sync.values import JournalEntry

_COLUMNS = (
    journal.c.id,
    journal.c.at,
    journal.c.run_id,
    journal.c.agent_id,
    journal.c.side,
    journal.c.action,
    journal.c.object,
    journal.c.reference,
    journal.c.rule,
    journal.c.fields,
    journal.c.after_digest,
)


def append(connection: Connection, keys: Keyring, entry: JournalEntry) -> int:
    """Add one entry, its pre-image encrypted; its id, greater than any before."""
    row = {
        "at": entry.at,
        "run_id": entry.run_id,
        "agent_id": entry.agent_id,
        "side": entry.side,
        "action": entry.action,
        "object": entry.object,
        "reference": entry.reference,
        "rule": entry.rule,
        "fields": dump_json(entry.fields),
        "before_digest": "" if entry.before is None else keys.digest(entry.before),
        "after_digest": entry.after_digest,
    }
    (entry_id,) = connection.execute(insert(journal), row).inserted_primary_key or (0,)
    if entry.before is not None:
        content = {"journal_id": entry_id, "before": keys.encrypt(entry.before, _context(entry_id))}
        connection.execute(insert(journal_content), content)
    return int(entry_id)


def read(
    connection: Connection,
    keys: Keyring,
    *,
    agent_id: int | None,
    run_id: str | None,
    limit: int,
    before_id: int | None,
    with_content: bool,
) -> tuple[JournalRow, ...]:
    """Entries with their numbers, newest first. `before` is filled only `with_content`."""
    columns = (*_COLUMNS, journal_content.c.before) if with_content else _COLUMNS
    query = select(*columns).order_by(journal.c.id.desc()).limit(limit)
    if with_content:
        query = query.outerjoin_from(journal, journal_content)
    if agent_id is not None:
        query = query.where(journal.c.agent_id == agent_id)
    if run_id is not None:
        query = query.where(journal.c.run_id == run_id)
    if before_id is not None:
        query = query.where(journal.c.id < before_id)
    entries = []
    for row in connection.execute(query):
        entry_id, *head, names, after_digest = row[: len(_COLUMNS)]
        sealed = row.before if with_content else None
        before = None if sealed is None else keys.decrypt(sealed, _context(entry_id))
        values = (*head, tuple(json.loads(names)), before, after_digest)
        entries.append(JournalRow(entry_id, JournalEntry(*values)))
    return tuple(entries)


def _context(entry_id: int) -> str:
    return f"journal_content/before/{entry_id}"
