"""`journal`, `journal show`: what was written and seen. Ids, times and names of fields; content on demand only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import print_json, results, table
from gateway.cli.session import local
from gateway.journal.export import CONTENT, exported
from gateway.journal.log import JournalFilter
from gateway.store.values import JournalRow

_COLUMNS = ("Entry", "At", "Agent", "Where", "Action", "What", "Which", "Rule", "By", "Fields", "Run")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries the command line names; times as they were typed."""

    agent: int | None = None
    run: str | None = None
    since: str | None = None
    until: str | None = None
    object: str | None = None

    def filter(self) -> JournalFilter:
        """Raises `UserError`."""
        return JournalFilter(
            agent_id=self.agent,
            run_id=self.run,
            since=_instant("--since", self.since),
            until=_instant("--until", self.until),
            object=self.object,
        )


def run(config: Path, choice: Choice, *, limit: int, as_json: bool) -> Exit:
    """List the entries."""
    chosen = choice.filter()
    with local(config) as (_settings, store):
        rows = store.journal(chosen=chosen, limit=limit)
    if as_json:
        print_json({"entries": [_json(row) for row in rows]})
    else:
        results().print(table("Journal", _COLUMNS, map(_row, rows)))
    return Exit.FINE


def show(config: Path, entry_id: int, *, content: bool, as_json: bool) -> Exit:
    """All of one entry."""
    with local(config) as (_settings, store):
        rows = store.stored_journal(JournalFilter(entry_id=entry_id))
        found: list[dict[str, Any]] = list(exported(rows, store.keys, content=content))
    if not found:
        raise UserError(f"There is no entry {entry_id}.", remedy="See `rdv-gateway journal` for their numbers.")
    (entry,) = found
    if as_json:
        print_json(entry)
        return Exit.FINE
    console = results()
    for name, value in entry.items():
        shown = ", ".join(value) if isinstance(value, list) else "-" if value in (None, "") else value
        console.print(f"{name}: {shown}")
    if content and entry[CONTENT] is None:
        console.print("There is no pre-image, or not any more: purged, or erased.")
    return Exit.FINE


def _instant(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option}: {text} is no day and no time.", remedy="Give 2026-03-02 or 2026-03-02T09:00, in UTC."
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


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
        "by": entry.by,
        "fields": list(entry.fields),
    }


def _row(row: JournalRow) -> tuple[object, ...]:
    entry = row.entry
    agent = "-" if entry.agent_id is None else entry.agent_id
    fields = ", ".join(entry.fields)
    return (
        *(row.id, entry.at.strftime("%Y-%m-%d %H:%M:%SZ"), agent, entry.side, entry.action, entry.object),
        *(entry.reference, entry.rule, entry.by, fields, entry.run_id[:8]),
    )
