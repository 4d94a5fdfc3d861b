"""The one remedy for a stale shadow: to read the calendar again, all of it. Nothing remote is asked or written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gateway.audit.values import Cause, Finding
from gateway.journal.decisions import decided
from gateway.store.store import Store
from gateway.sync.values import CalendarRef, Side

_STALE = frozenset({Cause.NOT_TOLD, Cause.VERSION_CAME_BACK, Cause.UNDERSTOOD_OTHERWISE})
_UNREAD = "to be read again"
"""In place of the digest of the patterns that a calendar was read with. It is none, so the next sync fetches every
event of it, whatever their ETags; a mere new listing would trust those."""


def stale_calendars(findings: Iterable[Finding], calendars: Iterable[CalendarRef]) -> tuple[CalendarRef, ...]:
    """Which of these calendars hold an event whose shadow is wrong and stays so."""
    stale = [finding.reference for finding in findings if finding.kind == "event" and finding.cause in _STALE]
    return tuple(ref for ref in dict.fromkeys(calendars) if any(each.startswith(f"{ref} ") for each in stale))


def read_again(store: Store, refs: Iterable[CalendarRef], *, at: datetime, by: str) -> None:
    """The next sync reads these calendars whole. For whoever holds the sync lock: a sync at work would undo it."""
    for ref in refs:
        state = store.calendar_state(ref)
        if state is None:
            continue
        with store.transaction() as tx:
            tx.save_calendar_reading(
                ref, events=(), gone=(), cursor=None, mark="", read_at=state.read_at, patterns=_UNREAD
            )
            tx.journal(decided("read_again", "calendar", str(ref), at=at, by=by, side=Side.CALENDAR.value))
