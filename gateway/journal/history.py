"""What the journal tells of one thing: entries by what they are about, without pre-images."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, RowMapping, or_, select

from gateway.store.schema import journal
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
    journal.c.by,
)


def history(connection: Connection, references: Collection[str], limit: int) -> tuple[JournalRow, ...]:
    """Entries about any of these (`rdv 12`, `absence 34`, an href), newest first. A conflict between two things is
    about both ("rdv 12, absence 34")."""
    columns = journal.c
    about: list[ColumnElement[bool]] = [columns.reference.in_(sorted(references))]
    for name in sorted(references):
        if name.startswith("rdv "):
            about.append(columns.reference.startswith(f"{name}, ", autoescape=True))
        if name.startswith("absence "):
            about.append(columns.reference.endswith(f", {name}", autoescape=True))
    query = select(*_COLUMNS).where(or_(*about)).order_by(columns.id.desc()).limit(limit)
    return tuple(map(_row, connection.execute(query).mappings()))


def _row(row: RowMapping) -> JournalRow:
    entry = JournalEntry(
        at=row["at"],
        run_id=row["run_id"],
        agent_id=row["agent_id"],
        side=row["side"],
        action=row["action"],
        object=row["object"],
        reference=row["reference"],
        rule=row["rule"],
        fields=tuple(json.loads(row["fields"])),
        by=row["by"],
    )
    return JournalRow(row["id"], entry)
