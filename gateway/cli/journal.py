"""`journal`: what was written and seen, newest first. Ids, times and names of fields; never their content."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.exits import Exit
from gateway.cli.output import print_json, results, table
from gateway.cli.session import local
from gateway.store.values import JournalRow

_COLUMNS = ("Entry", "At", "Agent", "Where", "Action", "What", "Which", "Rule", "Fields", "Run")


def run(config: Path, *, agent_id: int | None, run_id: str | None, limit: int, as_json: bool) -> Exit:
    """List the entries."""
    with local(config) as (_settings, store):
        rows = store.journal(agent_id=agent_id, run_id=run_id, limit=limit)
    if as_json:
        print_json({"entries": [_json(row) for row in rows]})
    else:
        results().print(table("Journal", _COLUMNS, map(_row, rows)))
    return Exit.FINE


def _json(row: JournalRow) -> dict[str, object]:
    entry = row.entry
    return {
        "id": row.id,
        "at": entry.at,
        "run": entry.run_id,
        "agent": entry.agent_id,
        "side": entry.side,
        "action": entry.action,
        "object": entry.object,
        "reference": entry.reference,
        "rule": entry.rule,
        "fields": list(entry.fields),
    }


def _row(row: JournalRow) -> tuple[object, ...]:
    entry = row.entry
    agent = "-" if entry.agent_id is None else entry.agent_id
    fields = ", ".join(entry.fields)
    return (
        *(row.id, entry.at.strftime("%Y-%m-%d %H:%M:%SZ"), agent, entry.side, entry.action, entry.object),
        *(entry.reference, entry.rule, fields, entry.run_id[:8]),
    )
