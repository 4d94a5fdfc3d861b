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

# A row for each source of each agent; one with None for who has none.
_AGENTS = (
    select(linked_agent_source.c.account, linked_agent_source.c.calendar, linked_agent)
    .outerjoin_from(linked_agent, linked_agent_source)
    .order_by(linked_agent.c.agent_id, linked_agent_source.c.position)
)
_AGENTS_IN_STATE, _AGENT = _AGENTS.where(among(linked_agent.c.state)), _AGENTS.where(given(linked_agent.c.agent_id))


def agents(connection: Connection, states: Collection[AgentState] | None) -> tuple[LinkedAgent, ...]:
    if states is None:
        return _read(connection, _AGENTS, {})
    return _read(connection, _AGENTS_IN_STATE, {"of_state": [state.value for state in states]})


def agent(connection: Connection, agent_id: int) -> LinkedAgent | None:
    found = _read(connection, _AGENT, {"of_agent_id": agent_id})
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


def _read(connection: Connection, query: Select[Any], chosen: Mapping[str, object]) -> tuple[LinkedAgent, ...]:
    refs: defaultdict[tuple[Any, ...], list[CalendarRef]] = defaultdict(list)
    for source_account, source_calendar, *of_agent in connection.execute(query, chosen):
        sources = refs[tuple(of_agent)]
        if source_account is not None:
            sources.append(CalendarRef(source_account, source_calendar))
    return tuple(
        LinkedAgent(
            agent_id=agent_id,
            zone=ZoneInfo(zone),
            sources=tuple(sources),
            target=CalendarRef(account, calendar),
            state=AgentState(state),
            first_run_approved=approved,
            wave=wave,
            organisation_id=organisation_id,
            service_id=service_id,
        )
        for (
            (agent_id, zone, account, calendar, state, approved, wave, organisation_id, service_id),
            sources,
        ) in refs.items()
    )
