"""Enrolled agents, and those who were matched with calendars and wait to be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, delete, insert, select, update

from gateway.store.codec import dump_json
from gateway.store.schema import linked_agent, linked_agent_source, matched_agent
from gateway.store.statements import among, given
from gateway.store.upsert import upsert
from gateway.sync.values import AgentState, CalendarRef, LinkedAgent, MatchedAgent

_AGENTS = select(linked_agent).order_by(linked_agent.c.agent_id)
_SOURCES = select(linked_agent_source).order_by(linked_agent_source.c.agent_id, linked_agent_source.c.position)
_IN_STATE = among(linked_agent.c.state)
_AGENTS_IN_STATE, _SOURCES_IN_STATE = _AGENTS.where(_IN_STATE), _SOURCES.join(linked_agent).where(_IN_STATE)
_AGENT = select(linked_agent).where(given(linked_agent.c.agent_id))
_SOURCES_OF_AGENT = _SOURCES.where(given(linked_agent_source.c.agent_id))


def agents(connection: Connection, states: Collection[AgentState] | None) -> tuple[LinkedAgent, ...]:
    if states is None:
        return _read(connection, _AGENTS, _SOURCES, {})
    chosen = {"of_state": [state.value for state in states]}
    return _read(connection, _AGENTS_IN_STATE, _SOURCES_IN_STATE, chosen)


def agent(connection: Connection, agent_id: int) -> LinkedAgent | None:
    found = _read(connection, _AGENT, _SOURCES_OF_AGENT, {"of_agent_id": agent_id})
    return found[0] if found else None


def put_agent(connection: Connection, agent: LinkedAgent) -> None:
    row = {
        "agent_id": agent.agent_id,
        "zone": agent.zone.key,
        "target_account": agent.target.account,
        "target_calendar": agent.target.calendar,
        "state": agent.state,
        "first_run_approved": agent.first_run_approved,
        "wave": agent.wave,
        "organisation_id": agent.organisation_id,
        "service_id": agent.service_id,
    }
    upsert(connection, linked_agent, [row])
    connection.execute(delete(linked_agent_source).where(linked_agent_source.c.agent_id == agent.agent_id))
    sources = [
        {"agent_id": agent.agent_id, "position": position, "account": ref.account, "calendar": ref.calendar}
        for position, ref in enumerate(agent.sources)
    ]
    if sources:
        connection.execute(insert(linked_agent_source), sources)


def change_agent(connection: Connection, agent_id: int, **changes: object) -> bool:
    """Set columns of one agent; False when there is no such agent."""
    return connection.execute(_of(agent_id).values(**changes)).rowcount == 1


def matched_agents(connection: Connection) -> tuple[MatchedAgent, ...]:
    rows = connection.execute(select(matched_agent).order_by(matched_agent.c.agent_id))
    return tuple(
        MatchedAgent(agent_id, account, tuple(json.loads(sources)), target, ZoneInfo(zone) if zone else None, *rest)
        for agent_id, account, sources, target, zone, *rest in rows
    )


def put_matched(connection: Connection, matched: MatchedAgent) -> None:
    row = {
        "agent_id": matched.agent_id,
        "account": matched.account,
        "sources": dump_json(matched.sources),
        "target": matched.target,
        "zone": matched.zone.key if matched.zone else "",
        "wave": matched.wave,
        "organisation_id": matched.organisation_id,
        "service_id": matched.service_id,
    }
    upsert(connection, matched_agent, [row])


def drop_matched(connection: Connection, agent_id: int) -> None:
    connection.execute(delete(matched_agent).where(matched_agent.c.agent_id == agent_id))


def _of(agent_id: int) -> Any:
    return update(linked_agent).where(linked_agent.c.agent_id == agent_id)


def _read(
    connection: Connection, query: Select[Any], sources: Select[Any], chosen: Mapping[str, object]
) -> tuple[LinkedAgent, ...]:
    refs: defaultdict[int, list[CalendarRef]] = defaultdict(list)
    for agent_id, _, account, calendar in connection.execute(sources, chosen):
        refs[agent_id].append(CalendarRef(account, calendar))
    return tuple(
        LinkedAgent(
            agent_id=agent_id,
            zone=ZoneInfo(zone),
            sources=tuple(refs[agent_id]),
            target=CalendarRef(account, calendar),
            state=AgentState(state),
            first_run_approved=approved,
            wave=wave,
            organisation_id=organisation_id,
            service_id=service_id,
        )
        for agent_id, zone, account, calendar, state, approved, wave, organisation_id, service_id in connection.execute(
            query, chosen
        )
    )
