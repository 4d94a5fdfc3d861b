"""What ends: pre-images after their time, whole entries after theirs, and all that is personal of one agent.

Each leaves an entry that says so; `verify` misses what no such entry explains.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update

from connectors.errors import ITMustAct
from gateway.journal import checkpoints, log
from gateway.journal.chain import chain_of
from gateway.keys import Keyring
from gateway.store.schema import (
    intent,
    journal,
    journal_content,
    known_record,
    linked_agent,
    observed_absence,
    undo_step,
)
from gateway.sync.values import AgentState, JournalEntry

BATCH = 5_000
"""How many go in one transaction, so that nobody waits long."""

PURGE, ERASE = "purge", "erase"
CONTENT, ENTRIES = "journal_content", "journal"
_BEFORE = "before "


class NotErasable(ITMustAct):
    """The agent is still synced, or a write for them has no outcome yet."""

    default_remedy = "Run `rdv-gateway leave` for them first, then this again."

    def __init__(self, message: str) -> None:
        super().__init__(message, system="journal")


# --- pre-images ----------------------------------------------------------------------------------------------


def old_content(connection: Connection, before: datetime) -> int:
    """How many pre-images are of entries older than this."""
    of_entry = select(func.count()).select_from(journal_content).join(journal)
    return connection.scalar(of_entry.where(journal.c.at < before)) or 0


def purge_content(connection: Connection, before: datetime) -> int:
    """Remove some of them; how many. 0: none is left. `content_purged` must have been written."""
    found = select(journal_content.c.journal_id).join(journal).where(journal.c.at < before)
    ids = list(connection.scalars(found.order_by(journal_content.c.journal_id).limit(BATCH)))
    _delete_content(connection, ids)
    _delete_steps(connection, select(journal.c.id).where(journal.c.at < before))
    return len(ids)


def content_purged(before: datetime, *, at: datetime, by: str) -> JournalEntry:
    """The entry that goes before the removal."""
    return _entry(None, PURGE, CONTENT, f"{_BEFORE}{before.isoformat()}", "retention", at=at, by=by)


def purged_before(action: str, kind: str, reference: str) -> datetime | None:
    """Up to when an entry says that pre-images were removed; None: it says nothing of the kind."""
    if (action, kind) != (PURGE, CONTENT) or not reference.startswith(_BEFORE):
        return None
    return datetime.fromisoformat(reference.removeprefix(_BEFORE))


# --- entries -------------------------------------------------------------------------------------------------


def old_entries(connection: Connection, before: datetime) -> int:
    """How many entries may go: those before the first one that is not older than this."""
    first, last = _first(connection), _last_old(connection, before)
    return 0 if first is None or last is None else max(0, last - first + 1)


def cut(connection: Connection, keys: Keyring, before: datetime, *, at: datetime) -> int:
    """Put a signed anchor in the place of some of them, and remove them; how many. 0: none is left."""
    first, last = _first(connection), _last_old(connection, before)
    if first is None or last is None or last < first:
        return 0
    last = min(last, first + BATCH - 1)
    checkpoints.make(connection, keys, at=at, up_to=last, removed_before=before)
    connection.execute(delete(journal_content).where(journal_content.c.journal_id <= last))
    connection.execute(delete(undo_step).where(undo_step.c.journal_id <= last))
    connection.execute(delete(journal).where(journal.c.id <= last))
    return last - first + 1


def entries_purged(before: datetime, *, at: datetime, by: str) -> JournalEntry:
    """The entry that goes before the removal."""
    return _entry(None, PURGE, ENTRIES, f"{_BEFORE}{before.isoformat()}", "retention", at=at, by=by)


def _first(connection: Connection) -> int | None:
    first: int | None = connection.scalar(select(func.min(journal.c.id)))
    return first


def _last_old(connection: Connection, before: datetime) -> int | None:
    """Only a beginning may go: an entry after one that is younger stays, whatever its own time."""
    young: int | None = connection.scalar(select(func.min(journal.c.id)).where(journal.c.at >= before))
    last: int | None = connection.scalar(select(func.max(journal.c.id)))
    return last if young is None else young - 1


# --- a person ------------------------------------------------------------------------------------------------


def erase_person(connection: Connection, keys: Keyring, agent_id: int, *, at: datetime, by: str) -> int:
    """Destroy an agent's key and remove what it encrypted; how many pre-images that were. May be repeated.

    The key goes last and before the commit: a process that is killed leaves nothing that says "erased" and is not.
    Raises `NotErasable`, `KeyFileProblem`.
    """
    _require_gone(connection, keys, agent_id)
    of_agent = select(journal.c.id).where(journal.c.chain == chain_of(agent_id))
    number = journal_content.c.journal_id
    ids = list(connection.scalars(select(number).where(number.in_(of_agent))))
    erased = _entry(agent_id, ERASE, CONTENT, f"agent {agent_id}", "a person was erased", at=at, by=by)
    log.append(connection, keys, [erased])
    for start in range(0, len(ids), BATCH):
        _delete_content(connection, ids[start : start + BATCH])
    _delete_steps(connection, of_agent)
    connection.execute(delete(observed_absence).where(observed_absence.c.agent_id == agent_id))
    connection.execute(delete(known_record).where(known_record.c.agent_id == agent_id))
    connection.execute(delete(intent).where(intent.c.agent_id == agent_id))
    connection.execute(
        update(linked_agent).where(linked_agent.c.agent_id == agent_id).values(state=AgentState.LEFT.value)
    )
    keys.persons.erase(agent_id, why=f"{at.isoformat()} by {by}\n")
    return len(ids)


def _require_gone(connection: Connection, keys: Keyring, agent_id: int) -> None:
    """Left, or erased before and back with a database of before."""
    if keys.persons.is_erased(agent_id) and not keys.persons.has(agent_id):
        return
    state = connection.scalar(select(linked_agent.c.state).where(linked_agent.c.agent_id == agent_id))
    if state not in (None, AgentState.LEFT.value):
        raise NotErasable(f"agent {agent_id} has not left: what is kept is needed as long as they are synced")
    is_open = intent.c.outcome.is_(None) & (intent.c.agent_id == agent_id)
    if connection.scalar(select(func.count()).select_from(intent).where(is_open)):
        raise NotErasable(f"a write for agent {agent_id} has no outcome yet")


# --- both ----------------------------------------------------------------------------------------------------


def _delete_content(connection: Connection, ids: Iterable[int]) -> None:
    rows = [{"of_entry": id_} for id_ in ids]
    if rows:
        one = journal_content.c.journal_id == bindparam("of_entry")
        connection.execute(delete(journal_content).where(one), rows)


def _delete_steps(connection: Connection, entries: Select[tuple[int]]) -> None:
    """What an undo needed beside pre-images."""
    connection.execute(delete(undo_step).where(undo_step.c.journal_id.in_(entries)))


def _entry(
    agent_id: int | None, action: str, kind: str, reference: str, rule: str, *, at: datetime, by: str
) -> JournalEntry:
    return JournalEntry(
        at=at,
        run_id="",
        agent_id=agent_id,
        side="gateway",
        action=action,
        object=kind,
        reference=reference,
        rule=rule,
        by=by,
    )
