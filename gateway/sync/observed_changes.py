"""Journal entries of what was observed to change: which thing, never what it says.

The first reading of a calendar or an organisation is no change: it would only repeat what is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gateway.store.transaction import Transaction
from gateway.sync.values import JournalEntry, Side


def note_changes(
    tx: Transaction, changes: Iterable[tuple[str, str, int | None]], *, side: Side, kind: str, at: datetime, run_id: str
) -> None:
    """One entry per (reference, rule, agent). `rule`: appeared, changed, vanished, no_longer_read."""
    tx.journal_all(
        JournalEntry(
            at=at,
            run_id=run_id,
            agent_id=agent_id,
            side=side.value,
            action="observed",
            object=kind,
            reference=reference,
            rule=rule,
        )
        for reference, rule, agent_id in changes
    )
