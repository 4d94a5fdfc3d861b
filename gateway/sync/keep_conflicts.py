"""Conflicts are kept until they are over; that they came and that they went is journaled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.store.transaction import Transaction
from gateway.sync.values import Conflict, ConflictKind, JournalEntry, LinkedAgent, Side
from mappings.wallclock import to_wall

_IN_CALENDAR = frozenset({ConflictKind.NATIVE_SYNC, ConflictKind.PUT_BACK_TOO_OFTEN})


def keep_conflicts(
    tx: Transaction, agent: LinkedAgent, found: Iterable[Conflict], *, tell: Sequence[str], run_id: str, at: datetime
) -> None:
    """These are all the agent's conflicts now. `at`: the instant; `tell`: whom the rules name."""
    changes = tx.replace_conflicts(agent.agent_id, found, tell=tell, run_id=run_id, at=at, wall=to_wall(at, agent.zone))
    tx.journal_all(
        _entry(conflict, rule, run_id=run_id, at=at)
        for rule, conflicts in (("appeared", changes.appeared), ("over", changes.over))
        for conflict in conflicts
    )


def _entry(conflict: Conflict, rule: str, *, run_id: str, at: datetime) -> JournalEntry:
    in_calendar = conflict.kind in _IN_CALENDAR or (conflict.rdv_id is None and conflict.absence_id is None)
    return JournalEntry(
        at=at,
        run_id=run_id,
        agent_id=conflict.agent_id,
        side=(Side.CALENDAR if in_calendar else Side.RDV_SOLIDARITES).value,
        action="observed",
        object=conflict.kind.value,
        reference=_reference(conflict),
        rule=f"conflict_{rule}",
    )


def _reference(conflict: Conflict) -> str:
    numbers = (("rdv", conflict.rdv_id), ("absence", conflict.absence_id))
    named = [f"{kind} {number}" for kind, number in numbers if number is not None]
    return ", ".join(named) or conflict.href
