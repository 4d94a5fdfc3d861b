"""`check --write-test`: one absence of one named agent, a year ago, made and removed at once.

The only proof that absences may be written. It can free or take no time that anybody could still book.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.errors import AnswerLost, ConnectorError
from connectors.ports import Clock, RdvSolidarites
from connectors.records import AbsenceDraft
from gateway.cli.exits import UserError
from gateway.store.store import Store
from gateway.sync.ceiling import RDV_SOLIDARITES, Ceiling
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.values import JournalEntry, Problem
from mappings.identity import ABSENCE_TAG

_AGO = timedelta(days=365)
_LENGTH = timedelta(minutes=15)
_WRITES = 2


def write_test(
    client: RdvSolidarites, store: Store, clock: Clock, *, agent_id: int, ceiling: Ceiling
) -> tuple[str, Problem | None]:
    """What was done, and what failed. The caller holds the sync lock. Raises `UserError` when writes are stopped, or
    the ceiling is reached: then nothing was sent."""
    _take_writes(store, clock, ceiling)
    day = (clock.now() - _AGO).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    draft = AbsenceDraft(agent_id, ABSENCE_TAG, day, day + _LENGTH)
    try:
        made = client.create_absence(draft)
    except AnswerLost as error:
        return _left(agent_id, day), problem_of(error, agent_id, _left(agent_id, day))
    except ConnectorError as error:
        return "no absence could be made", problem_of(error, agent_id, "no absence could be made")
    _journal(store, clock, "create", agent_id, made.id)
    try:
        client.delete_absence(made.id)
    except ConnectorError as error:
        left = f"absence {made.id} was made and could not be removed: remove it by hand"
        return left, problem_of(error, agent_id, left)
    _journal(store, clock, "delete", agent_id, made.id)
    return f"absence {made.id} of agent {agent_id} was made and removed", None


def _take_writes(store: Store, clock: Clock, ceiling: Ceiling) -> None:
    now = clock.now()
    with store.transaction() as tx:
        if tx.stop() is not None:
            raise UserError(
                "All writes are stopped: the write test was not made.",
                remedy="`rdv-gateway resume --writes`, then again.",
            )
        if ceiling.left(tx.written(RDV_SOLIDARITES, now=now), now) < _WRITES:
            raise UserError(
                "The ceiling of writes to RDV-Solidarités is reached: the write test was not made.",
                remedy="Try again in an hour.",
            )
        for _ in range(_WRITES):
            tx.count_write(RDV_SOLIDARITES, at=now)


def _left(agent_id: int, day: datetime) -> str:
    return f"an absence of agent {agent_id} on {day:%Y-%m-%d} at 00:00 may have been made: look, and remove it by hand"


def _journal(store: Store, clock: Clock, action: str, agent_id: int, absence_id: int) -> None:
    with store.transaction() as tx:
        tx.journal(
            JournalEntry(
                at=clock.now(),
                run_id="",
                agent_id=agent_id,
                side=RDV_SOLIDARITES,
                action=action,
                object="absence",
                reference=f"absence {absence_id}",
                rule="write_test",
            )
        )
