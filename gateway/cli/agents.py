"""`agents`: who works in RDV-Solidarités, and how each stands with the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.records import Agent
from gateway.cli.exits import Exit
from gateway.cli.output import age, print_json, progress, results, table
from gateway.cli.session import remote
from gateway.store.store import Store

_COLUMNS = ("Agent", "E-mail", "Name", "State", "Wave", "Last complete sync")
_GONE = "not seen"
_MATCHED = "matched"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agent stands here. `state`: of `AgentState`, or `matched`."""

    state: str
    wave: int | None
    last_complete_at: datetime | None = None


def standings(store: Store) -> dict[int, Standing]:
    """Everybody who is enrolled or matched, by id; a match is for coming back when somebody left."""
    matched = {agent.agent_id: Standing(_MATCHED, agent.wave) for agent in store.matched_agents()}
    last = {status.agent_id: status.last_complete_at for status in store.agent_status()}
    enrolled = {
        agent.agent_id: Standing(agent.state.value, agent.wave, last.get(agent.agent_id)) for agent in store.agents()
    }
    return enrolled | matched


def run(config: Path, *, as_json: bool) -> Exit:
    """List them by name; an enrolled agent whom RDV-Solidarités no longer shows is listed too."""
    with remote(config) as application:
        with progress("Reading agents…", as_json=as_json):
            agents = application.rdv_solidarites.agents()
        known = standings(application.store)
        now = application.clock.now()
    seen = sorted(agents, key=lambda agent: (agent.last_name.casefold(), agent.first_name.casefold(), agent.id))
    gone = sorted(known.keys() - {agent.id for agent in agents})
    if as_json:
        listed = [_json(agent, known.get(agent.id)) for agent in seen]
        listed += [{"agent": agent_id, "seen": False, **_json_standing(known[agent_id])} for agent_id in gone]
        print_json({"agents": listed})
    else:
        rows = [_row(agent, known.get(agent.id), now) for agent in seen]
        rows += [(agent_id, _GONE, _GONE, *_standing_row(known[agent_id], now)) for agent_id in gone]
        results().print(table("Agents", _COLUMNS, rows))
    return Exit.FINE


def _json(agent: Agent, standing: Standing | None) -> dict[str, object]:
    return {
        "agent": agent.id,
        "seen": True,
        "email": agent.email,
        "first_name": agent.first_name,
        "last_name": agent.last_name,
        **_json_standing(standing),
    }


def _json_standing(standing: Standing | None) -> dict[str, object]:
    return {
        "state": standing.state if standing else None,
        "wave": standing.wave if standing else None,
        "last_complete_at": standing.last_complete_at if standing else None,
    }


def _row(agent: Agent, standing: Standing | None, now: datetime) -> tuple[object, ...]:
    name = f"{agent.first_name} {agent.last_name}".strip()
    return (agent.id, agent.email or "-", name, *_standing_row(standing, now))


def _standing_row(standing: Standing | None, now: datetime) -> tuple[object, ...]:
    if standing is None:
        return ("not enrolled", "-", "-")
    synced = "-" if standing.state == _MATCHED else age(standing.last_complete_at, now)
    return (standing.state, "-" if standing.wave is None else standing.wave, synced)
