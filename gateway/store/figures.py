"""Where everything stands, in numbers: a few aggregate statements, for metrics that are asked for often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, case, func, select, text, update

from gateway.store.columns import Instant
from gateway.store.schema import (
    agent_run,
    conflict,
    hold,
    intent,
    linked_agent,
    meta,
    rdv_window,
    webhook_delivery,
    webhook_endpoint,
)
from gateway.sync.values import AgentState

AGES: Mapping[str, timedelta] = {
    "2m": timedelta(minutes=2),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
}
"""The age of an agent's last complete sync is below the first of these that it is below; else `OLDER`."""
OLDER = "older"
_SYNCED = (AgentState.FIRST_RUN.value, AgentState.LIVE.value)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Over all organisations with an endpoint. `lost`: changes that a reading found and no delivery ever told."""

    endpoints: int
    received: int
    lost: int
    last_received_at: datetime | None
    waiting: int
    first_waiting: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts. `ages`: agents who are synced, by section of their account and bucket. `holds`: by reason and class,
    how many, and since when the first of them. `rdvs_read_at`: when RDVs were last asked for."""

    states: Mapping[str, int]
    ages: Mapping[tuple[str, str], int]
    holds: Mapping[tuple[str, str], tuple[int, datetime]]
    conflicts: Mapping[str, int]
    open_writes: int
    first_open_write: datetime | None
    rdvs_read_at: datetime | None
    database_bytes: int
    webhooks: Webhooks


_STATES = select(linked_agent.c.state, func.count()).group_by(linked_agent.c.state)
_BUCKET = case(
    *((agent_run.c.complete_at > bindparam(f"after_{name}", type_=Instant), name) for name in AGES), else_=OLDER
)
_AGES = (
    select(linked_agent.c.target_account, _BUCKET, func.count())
    .select_from(linked_agent.outerjoin(agent_run, agent_run.c.agent_id == linked_agent.c.agent_id))
    .where(linked_agent.c.state.in_(_SYNCED))
    .group_by(linked_agent.c.target_account, _BUCKET)
)
_HOLDS = select(hold.c.reason, hold.c.op_class, func.count(), func.min(hold.c.since)).group_by(
    hold.c.reason, hold.c.op_class
)
_CONFLICTS = select(conflict.c.kind, func.count()).where(conflict.c.over_at.is_(None)).group_by(conflict.c.kind)
_OPEN = select(func.count(), func.min(intent.c.opened_at)).where(intent.c.outcome.is_(None))
_ENDPOINTS = select(
    func.count(),
    func.coalesce(func.sum(webhook_endpoint.c.received), 0),
    func.coalesce(func.sum(webhook_endpoint.c.lost), 0),
    func.max(webhook_endpoint.c.last_received_at),
)
_DELIVERIES = select(func.count(), func.min(webhook_delivery.c.received_at)).where(~webhook_delivery.c.applied)
_READ = select(func.max(rdv_window.c.read_at))
_SIZE = {
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
    "postgresql": text("SELECT pg_database_size(current_database())"),
}
_TOUCH = update(meta).where(meta.c.name == "instance").values(value=meta.c.value)


def figures(connection: Connection, now: datetime) -> Figures:
    ages: Counter[tuple[str, str]] = Counter()
    for account, bucket, count in connection.execute(_AGES, {f"after_{name}": now - age for name, age in AGES.items()}):
        ages[account.partition("/")[0], bucket] += count
    open_writes, first = connection.execute(_OPEN).one()
    return Figures(
        states={row[0]: row[1] for row in connection.execute(_STATES)},
        ages=ages,
        holds={(reason, of): (count, since) for reason, of, count, since in connection.execute(_HOLDS)},
        conflicts={row[0]: row[1] for row in connection.execute(_CONFLICTS)},
        open_writes=open_writes,
        first_open_write=first,
        rdvs_read_at=connection.execute(_READ).scalar(),
        database_bytes=connection.execute(_SIZE[connection.dialect.name]).scalar_one(),
        webhooks=_webhooks(connection),
    )


def _webhooks(connection: Connection) -> Webhooks:
    endpoints, received, lost, last = connection.execute(_ENDPOINTS).one()
    waiting, first = connection.execute(_DELIVERIES).one()
    return Webhooks(endpoints, int(received), int(lost), last, waiting, first)


def touch(connection: Connection) -> None:
    """Write what is there already: shows that this transaction may write."""
    connection.execute(_TOUCH)
