"""Conflicts that are there now, and what of them is still to be told."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, func, or_, select, update

from gateway.store.codec import dump_json
from gateway.store.schema import conflict, linked_agent
from gateway.store.statements import given, optional
from gateway.store.upsert import upsert
from gateway.store.values import ConflictNotice, ConflictRow
from gateway.sync.values import AgentState, Conflict, ConflictKind

_UNTOLD = timedelta(days=7)
"""What is over is no news after that."""

_CONFLICT = (
    conflict.c.agent_id,
    conflict.c.kind,
    conflict.c.reason,
    conflict.c.rdv_id,
    conflict.c.absence_id,
    conflict.c.href,
    conflict.c.starts_at,
    conflict.c.ends_at,
)
_KEPT = (
    conflict.c.digest,
    conflict.c.run_id,
    conflict.c.since,
    conflict.c.tell,
    conflict.c.told_at,
    conflict.c.over_at,
)
_EVERY: Select[Any] = select(*_CONFLICT, *_KEPT).order_by(
    conflict.c.agent_id, conflict.c.starts_at.is_(None), conflict.c.starts_at, conflict.c.kind, conflict.c.digest
)
_OF_AGENT = _EVERY.where(given(conflict.c.agent_id))
_THERE, _THERE_OF_AGENT = optional(_EVERY.where(conflict.c.over_at.is_(None)), conflict.c.agent_id)
_THIS = given(conflict.c.agent_id, conflict.c.digest)
_DROP, _IS_OVER = delete(conflict).where(_THIS), update(conflict).where(_THIS).values(over_at=bindparam("at"))


@dataclass(frozen=True, slots=True)
class ConflictChanges:
    """What a run found to have come, and to be over."""

    appeared: tuple[Conflict, ...]
    over: tuple[Conflict, ...]


def replace_conflicts(
    connection: Connection,
    agent_id: int,
    found: Iterable[Conflict],
    *,
    tell: Sequence[str],
    run_id: str,
    at: datetime,
    wall: datetime,
) -> ConflictChanges:
    known = {row.digest: row for row in connection.execute(_OF_AGENT, {"of_agent_id": agent_id})}
    now = {each.digest: each for each in found}
    rows = [_row(each, known.get(digest), tell=tell, run_id=run_id, at=at) for digest, each in now.items()]
    upsert(connection, conflict, rows)
    ended = [row for digest, row in known.items() if digest not in now and row.over_at is None]
    kept = {row.digest for row in ended if tell and _is_news(row, wall)}
    stale = {
        row.digest
        for digest, row in known.items()
        if digest not in now and row.over_at is not None and (not tell or row.over_at <= at - _UNTOLD)
    }
    _delete(connection, agent_id, stale | {row.digest for row in ended} - kept)
    if kept:
        connection.execute(_IS_OVER, [{"of_agent_id": agent_id, "of_digest": each, "at": at} for each in kept])
    return ConflictChanges(
        appeared=tuple(each for digest, each in now.items() if digest not in known or known[digest].over_at),
        over=tuple(_conflict(row) for row in ended),
    )


def _is_news(row: Row[Any], wall: datetime) -> bool:
    """Whether its end is to be told: it was told of and ended before its time came; or it was settled as it was found
    and nobody was told yet."""
    if row.told_at is None:
        return ConflictKind(row.kind).is_momentary
    return row.starts_at is None or row.starts_at > wall


def _row(
    found: Conflict, known: Row[Any] | None, *, tell: Sequence[str], run_id: str, at: datetime
) -> dict[str, object]:
    came_again = known is None or known.over_at is not None
    first_run, since = (run_id, at) if known is None or came_again else (known.run_id, known.since)
    return {
        "agent_id": found.agent_id,
        "digest": found.digest,
        "run_id": first_run,
        "since": since,
        "kind": found.kind.value,
        "reason": found.reason,
        "rdv_id": found.rdv_id,
        "absence_id": found.absence_id,
        "href": found.href,
        "starts_at": found.start,
        "ends_at": found.end,
        "tell": dump_json(list(tell)),
        # Told of, over, and here again before that was told: nothing new for whoever was told.
        "told_at": known.told_at if known is not None else None,
        "over_at": None,
    }


def drop_conflicts(connection: Connection, agent_id: int) -> None:
    connection.execute(delete(conflict).where(conflict.c.agent_id == agent_id))


def conflicts(connection: Connection, agent_id: int | None) -> tuple[ConflictRow, ...]:
    query = _THERE if agent_id is None else _THERE_OF_AGENT
    rows = connection.execute(query, {"of_agent_id": agent_id})
    return tuple(ConflictRow(_conflict(row), row.since, row.run_id, _addressees(row), row.told_at) for row in rows)


def conflict_counts(connection: Connection) -> dict[int, dict[ConflictKind, int]]:
    columns = (conflict.c.agent_id, conflict.c.kind)
    query = select(*columns, func.count()).where(conflict.c.over_at.is_(None)).group_by(*columns)
    counts: dict[int, dict[ConflictKind, int]] = {}
    for agent_id, kind, count in connection.execute(query.order_by(*columns)):
        counts.setdefault(agent_id, {})[ConflictKind(kind)] = count
    return counts


def notices(connection: Connection, limit: int, *, only_over: bool = False) -> tuple[ConflictNotice, ...]:
    live = select(linked_agent.c.agent_id).where(linked_agent.c.state == AgentState.LIVE.value)
    here = and_(conflict.c.over_at.is_(None), conflict.c.told_at.is_(None))
    over = conflict.c.over_at.is_not(None)
    query = _EVERY.where(over if only_over else or_(here, over))
    query = query.where(conflict.c.agent_id.in_(live), conflict.c.tell != "[]").limit(limit)
    return tuple(
        ConflictNotice(_conflict(row), row.since, _addressees(row), over=row.over_at is not None)
        for row in connection.execute(query)
    )


def mark_told(connection: Connection, told: Iterable[ConflictNotice], *, at: datetime) -> None:
    for notice in told:
        agent_id, digest = notice.conflict.agent_id, notice.conflict.digest
        mine = (conflict.c.agent_id == agent_id, conflict.c.digest == digest)
        if notice.over:  # unless it is here again
            connection.execute(delete(conflict).where(*mine, conflict.c.over_at.is_not(None)))
        else:
            connection.execute(update(conflict).where(*mine, conflict.c.told_at.is_(None)).values(told_at=at))


def _delete(connection: Connection, agent_id: int, digests: Collection[str]) -> None:
    if digests:
        connection.execute(_DROP, [{"of_agent_id": agent_id, "of_digest": each} for each in sorted(digests)])


def _conflict(row: Row[Any]) -> Conflict:
    agent_id, kind, *rest = row[: len(_CONFLICT)]
    return Conflict(agent_id, ConflictKind(kind), *rest)


def _addressees(row: Row[Any]) -> tuple[str, ...]:
    return tuple(json.loads(row.tell))
