"""What persons decide, as entries of the journal."""

from __future__ import annotations

from datetime import datetime

from gateway.sync.values import JournalEntry

_RULE = "decided by a person"
_GATEWAY = "gateway"


def decided(
    action: str,
    thing: str,
    reference: str,
    *,
    at: datetime,
    by: str,
    agent_id: int | None = None,
    side: str = _GATEWAY,
    run_id: str = "",
    fields: tuple[str, ...] = (),
) -> JournalEntry:
    """The entry of one decision. `thing`: what kind it is about, `reference`: which one, by ids only. `at`: instant."""
    return JournalEntry(
        at=at,
        run_id=run_id,
        agent_id=agent_id,
        side=side,
        action=action,
        object=thing,
        reference=reference,
        rule=_RULE,
        fields=fields,
        by=by,
    )
