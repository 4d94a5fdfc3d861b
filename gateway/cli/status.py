"""`status`: how each enrolled agent stands, from the database alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from gateway.cli.approve import hold_json
from gateway.cli.conflicts import counts_json, counts_table, needs_person
from gateway.cli.describe import problem_json, problem_lines, stop_json
from gateway.cli.exits import Exit
from gateway.cli.holds import states_json, states_table
from gateway.cli.outages import outage_lines, outages_json
from gateway.cli.outlook import used
from gateway.cli.output import age, messages, moment, print_json, results, table
from gateway.cli.serving import service_json, service_lines
from gateway.cli.session import local
from gateway.cli.stopping import stop_lines
from gateway.clock import SystemClock
from gateway.consent import consent_problem
from gateway.scheduling.handover import service_state
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.store.values import AgentStatus, RunRow
from gateway.sync.values import Problem

_AGENT_COLUMNS = (
    "Agent",
    "State",
    "Last complete sync",
    "Held",
    "Conflicts",
    "Set aside",
    "Open writes",
    "Last problem",
)
_RUN_COLUMNS = ("Run", "Started", "Took", "Agents", "Done", "Later", "Held", "Conflicts", "Problems")
_WRITE_COLUMNS = ("System", "This hour", "Last 24 hours", "Left this hour")
_RUNS_SHOWN = 5


def run(config: Path, *, as_json: bool) -> Exit:
    """Show agents, holds and the last runs. Exit code 1 when something waits for a person, 3 after a failure."""
    now = SystemClock().now()
    with local(config) as (settings, store):
        agents, holds, runs = store.agent_status(), store.holds(), store.runs(_RUNS_SHOWN)
        conflicts = store.conflict_counts()
        told, pins, outages = store.told(), store.pins(), store.outages()
        stop, written = store.stop(), tuple(used(settings, store, now))
        warning = _access_warning(settings, store, now)
        service = service_state(store)
    if as_json:
        print_json(
            {
                "agents": [_agent_json(agent, now) for agent in agents],
                "held": [hold_json(hold) for hold in holds],
                "states": states_json(holds),
                "pinned": len(pins),
                "told": list(told),
                "outages": outages_json(outages, now),
                "conflicts": counts_json(conflicts),
                "runs": [_run_json(row) for row in runs],
                "stopped": stop_json(stop),
                "writes": [_written_json(*row) for row in written],
                "service": service_json(service, now),
                "warnings": [problem_json(warning)] if warning else [],
            }
        )
    else:
        console = results()
        console.print(table("Agents", _AGENT_COLUMNS, (_agent_row(agent, now) for agent in agents)))
        if holds:
            console.print(states_table(holds))
        if conflicts:
            console.print(counts_table(conflicts))
        console.print(table("Last runs", _RUN_COLUMNS, map(_run_row, runs)))
        if written:
            console.print(table("Writes", _WRITE_COLUMNS, written))
        if holds:
            messages().print("Each of what is held: `rdv-gateway holds`.")
        if pins:
            messages().print(f"{len(pins)} stay as they are since they were rejected or undone: `rdv-gateway pins`.")
        for sentence in told:
            messages().print(f"database: {sentence}.")
        for line in (
            *problem_lines([warning] if warning else []),
            *outage_lines(outages, now),
            *service_lines(service, now),
            *stop_lines(stop),
        ):
            messages().print(line)
    if any(agent.last_problem for agent in agents) or (runs and runs[0].problems):
        return Exit.REMOTE
    kinds = {kind for counts in conflicts.values() for kind in counts}
    return Exit.NEEDS_PERSON if holds or stop or warning or needs_person(kinds) else Exit.FINE


def _access_warning(settings: Settings, store: Store, now: datetime) -> Problem | None:
    section = settings.rdv_solidarites.oauth
    return None if section is None else consent_problem(store, now, configured=section.refresh_token is not None)


def _written_json(remote: str, hour: int, day: int, left: int) -> dict[str, object]:
    return {"system": remote, "this_hour": hour, "last_24_hours": day, "left_this_hour": left}


def _agent_json(agent: AgentStatus, now: datetime) -> dict[str, object]:
    last = agent.last_complete_at
    return {
        "agent": agent.agent_id,
        "state": agent.state.value,
        "last_complete_at": last,
        "age_seconds": None if last is None else round((now - last).total_seconds()),
        "held": agent.held,
        "conflicts": agent.conflicts,
        "set_aside": agent.set_aside,
        "open_writes": agent.open_intents,
        "last_problem": problem_json(agent.last_problem) if agent.last_problem else None,
    }


def _agent_row(agent: AgentStatus, now: datetime) -> tuple[object, ...]:
    problem = agent.last_problem
    return (
        *(agent.agent_id, agent.state.value, age(agent.last_complete_at, now), agent.held),
        *(agent.conflicts, agent.set_aside, agent.open_intents),
        *(f"{problem.system}: {problem.reason} -> {problem.remedy}" if problem else "-"),
    )


def _run_json(row: RunRow) -> dict[str, object]:
    return {
        "run": row.run_id,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "dry_run": row.dry_run,
        "agents": row.agents,
        "done": row.done,
        "waiting": row.waiting,
        "held": row.held,
        "set_aside": row.set_aside,
        "conflicts": row.conflicts,
        "unsettled": row.unsettled,
        "errors": [problem_json(problem) for problem in row.problems],
        "requests": dict(row.requests),
    }


def _run_row(row: RunRow) -> tuple[object, ...]:
    took = "-" if row.finished_at is None else f"{(row.finished_at - row.started_at).total_seconds():.1f} s"
    kind = " (plan)" if row.dry_run else ""
    return (
        *(
            row.run_id[:8] + kind,
            moment(row.started_at),
            took,
            row.agents,
            row.done,
            row.waiting,
            row.held,
            row.conflicts,
        ),
        "; ".join(f"{problem.system}: {problem.reason}" for problem in row.problems) or "-",
    )
