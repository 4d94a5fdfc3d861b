"""What both sides were last known to share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, select, union, update

from gateway.store.codec import dump_provenance, load_provenance
from gateway.store.schema import agreed_copy, agreed_mirror, meta, pool_block, suppression
from gateway.store.statements import given
from gateway.store.upsert import upsert
from gateway.sync.values import (
    AgreedCopy,
    AgreedMirror,
    BlockOrigin,
    CalendarRef,
    PoolBlock,
    Suppression,
)

HIGHEST_ABSENCE = "highest_absence_id"
"""The name under which it is kept in `meta`."""
_HIGHEST = select(meta.c.value).where(meta.c.name == HIGHEST_ABSENCE)


def _of_agent(table: Table) -> Select[Any]:
    """Every column in the table's order, which is that of the value's fields."""
    return select(table).where(given(table.c.agent_id)).order_by(*table.primary_key)


_COPIES, _BLOCKS = _of_agent(agreed_copy), _of_agent(pool_block)
_MIRRORS, _SUPPRESSIONS = _of_agent(agreed_mirror), _of_agent(suppression)
_OWN_HREFS = union(
    select(agreed_copy.c.href).where(
        given(agreed_copy.c.account, agreed_copy.c.calendar), agreed_copy.c.ends_at >= bindparam("since")
    ),
    select(agreed_mirror.c.href).where(given(agreed_mirror.c.account, agreed_mirror.c.calendar)),
)
_MAPPED_ABSENCES = union(select(pool_block.c.absence_id), select(agreed_mirror.c.absence_id))
_COPIED_RDVS = select(agreed_copy.c.rdv_id).distinct()
_DROP_COPY = delete(agreed_copy).where(given(agreed_copy.c.rdv_id, agreed_copy.c.agent_id))
_DROP_BLOCK = delete(pool_block).where(given(pool_block.c.absence_id))
_DROP_MIRROR = delete(agreed_mirror).where(given(agreed_mirror.c.absence_id))
_END_SUPPRESSION = delete(suppression).where(given(*suppression.c))


def copies(connection: Connection, agent_id: int) -> tuple[AgreedCopy, ...]:
    rows = connection.execute(_COPIES, {"of_agent_id": agent_id})
    return tuple(
        AgreedCopy(rdv_id, agent, CalendarRef(account, calendar), *rest)
        for rdv_id, agent, account, calendar, *rest in rows
    )


def blocks(connection: Connection, agent_id: int) -> tuple[PoolBlock, ...]:
    return tuple(
        PoolBlock(id_, agent, start, end, load_provenance(provenance), BlockOrigin(origin), *rest)
        for id_, agent, start, end, provenance, origin, *rest in connection.execute(_BLOCKS, {"of_agent_id": agent_id})
    )


def mirrors(connection: Connection, agent_id: int) -> tuple[AgreedMirror, ...]:
    rows = connection.execute(_MIRRORS, {"of_agent_id": agent_id})
    return tuple(
        AgreedMirror(id_, agent, CalendarRef(account, calendar), *rest) for id_, agent, account, calendar, *rest in rows
    )


def own_hrefs(connection: Connection, ref: CalendarRef, since: datetime) -> frozenset[str]:
    """Copies that end after `since`, and every mirror, in one calendar."""
    there = {"of_account": ref.account, "of_calendar": ref.calendar, "since": since}
    return frozenset(connection.scalars(_OWN_HREFS, there))


def suppressions(connection: Connection, agent_id: int) -> tuple[Suppression, ...]:
    return tuple(
        Suppression(agent, next(iter(load_provenance(provenance))), *times)
        for agent, provenance, *times in connection.execute(_SUPPRESSIONS, {"of_agent_id": agent_id})
    )


def mapped_absence_ids(connection: Connection) -> frozenset[int]:
    return frozenset(connection.scalars(_MAPPED_ABSENCES))


def copied_rdv_ids(connection: Connection) -> frozenset[int]:
    return frozenset(connection.scalars(_COPIED_RDVS))


def highest_absence_id(connection: Connection) -> int:
    return int(connection.scalar(_HIGHEST) or 0)


def notice_absence(connection: Connection, absence_id: int) -> None:
    """Remember this id if no higher one is."""
    if absence_id > highest_absence_id(connection):
        upsert(connection, meta, [{"name": HIGHEST_ABSENCE, "value": str(absence_id)}])


def put_copy(connection: Connection, copy: AgreedCopy) -> None:
    row = {
        "rdv_id": copy.rdv_id,
        "agent_id": copy.agent_id,
        "account": copy.ref.account,
        "calendar": copy.ref.calendar,
        "href": copy.href,
        "uid": copy.uid,
        "asked_digest": copy.asked_digest,
        "owned_digest": copy.owned_digest,
        "notes_digest": copy.notes_digest,
        "ends_at": copy.ends_at,
        "put_back_on": copy.put_back_on,
        "put_back_count": copy.put_back_count,
        "written_at": copy.written_at,
    }
    upsert(connection, agreed_copy, [row])


def drop_copy(connection: Connection, rdv_id: int, agent_id: int) -> None:
    connection.execute(_DROP_COPY, {"of_rdv_id": rdv_id, "of_agent_id": agent_id})


def put_block(connection: Connection, block: PoolBlock) -> None:
    row = {
        "absence_id": block.absence_id,
        "agent_id": block.agent_id,
        "starts_at": block.start,
        "ends_at": block.end,
        "provenance": dump_provenance(block.provenance),
        "origin": block.origin.value,
        "approved": block.approved,
        "label": block.label,
    }
    upsert(connection, pool_block, [row])


def drop_block(connection: Connection, absence_id: int) -> None:
    connection.execute(_DROP_BLOCK, {"of_absence_id": absence_id})


def approve_found_blocks(connection: Connection, agent_id: int) -> int:
    return connection.execute(
        update(pool_block)
        .where(
            pool_block.c.agent_id == agent_id,
            pool_block.c.origin == BlockOrigin.FOUND.value,
            pool_block.c.approved.is_(False),
        )
        .values(approved=True)
    ).rowcount


def put_mirror(connection: Connection, mirror: AgreedMirror) -> None:
    row = {
        "absence_id": mirror.absence_id,
        "agent_id": mirror.agent_id,
        "account": mirror.ref.account,
        "calendar": mirror.ref.calendar,
        "href": mirror.href,
        "uid": mirror.uid,
        "starts_at": mirror.start,
        "ends_at": mirror.end,
        "recurring": mirror.recurring,
        "asked_digest": mirror.asked_digest,
        "title_digest": mirror.title_digest,
        "times_digest": mirror.times_digest,
    }
    upsert(connection, agreed_mirror, [row])


def drop_mirror(connection: Connection, absence_id: int) -> None:
    connection.execute(_DROP_MIRROR, {"of_absence_id": absence_id})


def add_suppressions(connection: Connection, added: Iterable[Suppression]) -> None:
    upsert(connection, suppression, [_suppression_row(one) for one in added])


def end_suppressions(connection: Connection, ended: Iterable[Suppression]) -> None:
    rows = [{f"of_{name}": value for name, value in _suppression_row(one).items()} for one in ended]
    if rows:
        connection.execute(_END_SUPPRESSION, rows)


def _suppression_row(one: Suppression) -> dict[str, object]:
    return {
        "agent_id": one.agent_id,
        "provenance": dump_provenance((one.provenance,)),
        "occurrence_start": one.occurrence_start,
        "occurrence_end": one.occurrence_end,
        "starts_at": one.start,
        "ends_at": one.end,
    }
