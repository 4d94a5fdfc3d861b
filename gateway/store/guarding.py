"""What the guard remembers from run to run: histories of agents, pins, and how many runs there were."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from gateway.store.codec import dump_json
from gateway.store.schema import agent_history, journal, meta, pin, run
from gateway.store.upsert import upsert
from gateway.sync.outages import Outage
from gateway.sync.values import AgentHistory, CalendarRef, HoldReason, Pin, PinnedThing, Sign

_RUNS = "runs"
_TOLD = "told"
_OUTAGES = "outages"


def history(connection: Connection, agent_id: int) -> AgentHistory:
    text = connection.scalar(select(agent_history.c.content).where(agent_history.c.agent_id == agent_id))
    if text is None:
        return AgentHistory()
    content = json.loads(text)
    usual = {CalendarRef(account, calendar): count for account, calendar, count in content["usual"]}
    return AgentHistory(usual, tuple(Sign(HoldReason(reason), words) for reason, words in content["signs"]))


def put_history(connection: Connection, agent_id: int, kept: AgentHistory) -> None:
    content = {
        "usual": [(ref.account, ref.calendar, count) for ref, count in sorted(kept.usual.items())],
        "signs": [(sign.reason.value, sign.explanation) for sign in kept.signs],
    }
    upsert(connection, agent_history, [{"agent_id": agent_id, "content": dump_json(content)}])


def pins(connection: Connection, agent_id: int | None) -> tuple[Pin, ...]:
    query = select(pin).order_by(*pin.primary_key)
    if agent_id is not None:
        query = query.where(pin.c.agent_id == agent_id)
    return tuple(Pin(agent, PinnedThing(thing), *rest) for agent, thing, *rest in connection.execute(query))


def put_pin(connection: Connection, made: Pin) -> None:
    row = {
        "agent_id": made.agent_id,
        "thing": made.thing.value,
        "number": made.number,
        "version": made.version,
        "digest": made.digest,
        "reason": made.reason,
        "at": made.at,
        "by": made.by,
    }
    upsert(connection, pin, [row])


def drop_pin(connection: Connection, agent_id: int, thing: PinnedThing, number: int) -> bool:
    same = (pin.c.agent_id == agent_id, pin.c.thing == thing.value, pin.c.number == number)
    return connection.execute(delete(pin).where(*same)).rowcount == 1


def left_before(connection: Connection, agent_id: int, rdv_ids: Collection[int]) -> Mapping[int, frozenset[str]]:
    """By RDV, the digests of all that we ever left of its copy."""
    found: dict[int, frozenset[str]] = {}
    for number in rdv_ids:
        query = select(journal.c.after_digest).where(
            journal.c.agent_id == agent_id, journal.c.reference == f"rdv {number}", journal.c.after_digest != ""
        )
        found[number] = frozenset(connection.scalars(query))
    return found


def last_instant(connection: Connection) -> datetime | None:
    instants = connection.execute(select(func.max(run.c.started_at), func.max(run.c.finished_at))).one()
    return max((each for each in instants if each is not None), default=None)


def run_count(connection: Connection) -> int:
    return int(connection.scalar(select(meta.c.value).where(meta.c.name == _RUNS)) or 0)


def set_run_count(connection: Connection, count: int) -> None:
    upsert(connection, meta, [{"name": _RUNS, "value": str(count)}])


def told(connection: Connection) -> tuple[str, ...]:
    text = connection.scalar(select(meta.c.value).where(meta.c.name == _TOLD))
    return tuple(json.loads(text)) if text else ()


def set_told(connection: Connection, sentences: Collection[str]) -> None:
    upsert(connection, meta, [{"name": _TOLD, "value": json.dumps(list(sentences))}])


def outages(connection: Connection) -> tuple[Outage, ...]:
    text = connection.scalar(select(meta.c.value).where(meta.c.name == _OUTAGES))
    return tuple(
        Outage(system, datetime.fromisoformat(since), until and datetime.fromisoformat(until), by, reason)
        for system, since, until, by, reason in (json.loads(text) if text else ())
    )


def set_outages(connection: Connection, kept: Collection[Outage]) -> None:
    rows = [
        (each.system, each.since.isoformat(), each.until and each.until.isoformat(), each.by, each.reason)
        for each in kept
    ]
    upsert(connection, meta, [{"name": _OUTAGES, "value": json.dumps(rows)}])
