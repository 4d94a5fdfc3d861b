"""`agents`: who works in RDV-Solidarités, and how each stands with the gateway."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from connectors.records import Agent
from gateway.cli.exits import Exit
from gateway.cli.output import age, print_json, progress, results, table
from gateway.cli.session import remote
from gateway.store.values import AgentStatus

_COLUMNS = ("Agent", "E-mail", "Name", "State", "Last complete sync")
_GONE = "not seen"


def run(config: Path, *, as_json: bool) -> Exit:
    """List them by name; an enrolled agent whom RDV-Solidarités no longer shows is listed too."""
    with remote(config) as application:
        with progress("Reading agents…", as_json=as_json):
            agents = application.rdv_solidarites.agents()
        known = {status.agent_id: status for status in application.store.agent_status()}
        now = application.clock.now()
    seen = sorted(agents, key=lambda agent: (agent.last_name.casefold(), agent.first_name.casefold(), agent.id))
    gone = sorted(known.keys() - {agent.id for agent in agents})
    if as_json:
        listed = [_json(agent, known.get(agent.id)) for agent in seen]
        listed += [{"agent": agent_id, "seen": False, **_standing(known[agent_id])} for agent_id in gone]
        print_json({"agents": listed})
    else:
        rows = [_row(agent, known.get(agent.id), now) for agent in seen]
        rows += [(agent_id, _GONE, _GONE, *_standing_row(known[agent_id], now)) for agent_id in gone]
        results().print(table("Agents", _COLUMNS, rows))
    return Exit.FINE


def _json(agent: Agent, status: AgentStatus | None) -> dict[str, object]:
    return {
        "agent": agent.id,
        "seen": True,
        "email": agent.email,
        "first_name": agent.first_name,
        "last_name": agent.last_name,
        **_standing(status),
    }


def _standing(status: AgentStatus | None) -> dict[str, object]:
    return {
        "state": status.state.value if status else None,
        "last_complete_at": status.last_complete_at if status else None,
    }


def _row(agent: Agent, status: AgentStatus | None, now: datetime) -> tuple[object, ...]:
    name = f"{agent.first_name} {agent.last_name}".strip()
    return (agent.id, agent.email or "-", name, *_standing_row(status, now))


def _standing_row(status: AgentStatus | None, now: datetime) -> tuple[object, ...]:
    return (status.state.value, age(status.last_complete_at, now)) if status else ("not enrolled", "-")
