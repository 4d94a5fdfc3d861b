"""What the guard remembers from run to run: histories of agents, pins, and how many runs there were."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from gateway.store.codec import dump_json
from gateway.store.schema import agent_history, journal, meta, pin, run
from gateway.store.statements import given, optional
from gateway.store.upsert import upsert
from gateway.sync.outages import Outage
from gateway.sync.values import AgentHistory, CalendarRef, HoldReason, Pin, PinnedThing, Sign

_RUNS = "runs"
_TOLD = "told"
_OUTAGES = "outages"
_QUIET = "quiet_run"
_HISTORY = select(agent_history.c.content).where(given(agent_history.c.agent_id))
_PINS, _PINS_OF_AGENT = optional(select(pin).order_by(*pin.primary_key), pin.c.agent_id)
_DROP_PIN = delete(pin).where(given(pin.c.agent_id, pin.c.thing, pin.c.number))
_LEFT = select(journal.c.after_digest).where(
    given(journal.c.agent_id, journal.c.reference), journal.c.after_digest != ""
)
_LAST_INSTANTS = select(func.max(run.c.started_at), func.max(run.c.finished_at))
_META = select(meta.c.value).where(given(meta.c.name))


def history(connection: Connection, agent_id: int) -> AgentHistory:
    text = connection.scalar(_HISTORY, {"of_agent_id": agent_id})
    if text is None:
        return AgentHistory()
    content = json.loads(text)
    usual = {CalendarRef(account, calendar): count for account, calendar, count in content["usual"]}
    return AgentHistory(usual, tuple(_sign(*kept) for kept in content["signs"]))


def _sign(reason: str, explanation: str, doubted: list[str] | None = None) -> Sign:
    return Sign(HoldReason(reason), explanation, None if doubted is None else frozenset(doubted))


def put_history(connection: Connection, agent_id: int, kept: AgentHistory) -> None:
    content = {
        "usual": [(ref.account, ref.calendar, count) for ref, count in sorted(kept.usual.items())],
        "signs": [
            (sign.reason.value, sign.explanation, None if sign.doubted is None else sorted(sign.doubted))
            for sign in kept.signs
        ],
    }
    upsert(connection, agent_history, [{"agent_id": agent_id, "content": dump_json(content)}])


def pins(connection: Connection, agent_id: int | None) -> tuple[Pin, ...]:
    rows = connection.execute(_PINS if agent_id is None else _PINS_OF_AGENT, {"of_agent_id": agent_id})
    return tuple(Pin(agent, PinnedThing(thing), *rest) for agent, thing, *rest in rows)


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
    this = {"of_agent_id": agent_id, "of_thing": thing.value, "of_number": number}
    return connection.execute(_DROP_PIN, this).rowcount == 1


def left_before(connection: Connection, agent_id: int, rdv_ids: Collection[int]) -> Mapping[int, frozenset[str]]:
    """By RDV, the digests of all that we ever left of its copy."""
    found: dict[int, frozenset[str]] = {}
    for number in rdv_ids:
        of_copy = {"of_agent_id": agent_id, "of_reference": f"rdv {number}"}
        found[number] = frozenset(connection.scalars(_LEFT, of_copy))
    return found


def last_instant(connection: Connection) -> datetime | None:
    instants = [each for each in connection.execute(_LAST_INSTANTS).one() if each is not None]
    quiet = connection.scalar(_META, {"of_name": _QUIET})
    return max([*instants, *([datetime.fromisoformat(quiet)] if quiet else [])], default=None)


def set_quiet_instant(connection: Connection, at: datetime) -> None:
    """When a run ended that left no row."""
    upsert(connection, meta, [{"name": _QUIET, "value": at.isoformat()}])


def run_count(connection: Connection) -> int:
    return int(connection.scalar(_META, {"of_name": _RUNS}) or 0)


def set_run_count(connection: Connection, count: int) -> None:
    upsert(connection, meta, [{"name": _RUNS, "value": str(count)}])


def told(connection: Connection) -> tuple[str, ...]:
    text = connection.scalar(_META, {"of_name": _TOLD})
    return tuple(json.loads(text)) if text else ()


def set_told(connection: Connection, sentences: Collection[str]) -> None:
    upsert(connection, meta, [{"name": _TOLD, "value": json.dumps(list(sentences))}])


def outages(connection: Connection) -> tuple[Outage, ...]:
    text = connection.scalar(_META, {"of_name": _OUTAGES})
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
