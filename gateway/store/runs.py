"""Runs, what each left for each agent, and where agents stand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from connectors.errors import OurBug
from gateway.store.codec import dump_json, dump_problems, load_problems, load_requests
from gateway.store.schema import agent_run, conflict, first_plan, hold, intent, linked_agent, run
from gateway.store.statements import given
from gateway.store.upsert import upsert
from gateway.store.values import AgentStatus, RunRow
from gateway.sync.values import AgentReport, AgentState, PlanFigures, RunReport

_RUN = (
    run.c.run_id,
    run.c.started_at,
    run.c.finished_at,
    run.c.dry_run,
    run.c.agents,
    run.c.done,
    run.c.held,
    run.c.set_aside,
    run.c.conflicts,
    run.c.unsettled,
    run.c.waiting,
    run.c.problems,
    run.c.requests,
)
_START_RUN, _FINISH_RUN = insert(run), update(run).where(given(run.c.run_id))
_DROP_RUN = delete(run).where(given(run.c.run_id))
_FORGET_RUNS = delete(run).where(run.c.started_at < bindparam("of_instant", type_=run.c.started_at.type))
_HOLD_OF_RUN = select(hold.c.digest).where(given(hold.c.run_id)).limit(1)
_CONFLICT_OF_RUN = select(conflict.c.agent_id).where(given(conflict.c.run_id), conflict.c.over_at.is_(None)).limit(1)


def runs(connection: Connection, limit: int) -> tuple[RunRow, ...]:
    query = select(*_RUN).order_by(run.c.started_at.desc(), run.c.run_id.desc()).limit(limit)
    rows = ((*row[:-2], load_problems(row.problems), load_requests(row.requests)) for row in connection.execute(query))
    return tuple(RunRow(*values) for values in rows)


def start_run(connection: Connection, run_id: str, *, at: datetime, dry_run: bool) -> None:
    row: dict[str, object] = {"run_id": run_id, "started_at": at, "dry_run": dry_run}
    counts = ("agents", "done", "held", "set_aside", "conflicts", "unsettled", "waiting")
    connection.execute(_START_RUN, row | dict.fromkeys(counts, 0) | {"problems": "[]", "requests": "[]"})


def finish_run(connection: Connection, report: RunReport, *, at: datetime) -> None:
    agents = report.agents
    changed = connection.execute(
        _FINISH_RUN,
        {
            "of_run_id": report.run_id,
            "finished_at": at,
            "agents": len(agents),
            "done": sum(len(one.done) for one in agents),
            "held": sum(len(one.held) for one in agents),
            "set_aside": sum(len(one.set_aside) for one in agents),
            "conflicts": sum(len(one.conflicts) for one in agents),
            "unsettled": sum(one.unsettled for one in agents),
            "waiting": sum(len(one.waiting) for one in agents),
            "problems": dump_problems(report.problems),
            "requests": dump_json(report.requests),
        },
    )
    if changed.rowcount != 1:
        raise OurBug(f"run {report.run_id} was never started", system="database")


def found_something(connection: Connection, report: RunReport) -> bool:
    """Whether there is anything to tell of a run: what it did or failed at, and what came to wait for a person."""
    if report.problems or any(one.planned or one.waiting or one.problems or one.unsettled for one in report.agents):
        return True
    of_run = {"of_run_id": report.run_id}
    return bool(connection.scalar(_HOLD_OF_RUN, of_run) or connection.scalar(_CONFLICT_OF_RUN, of_run))


def drop_run(connection: Connection, run_id: str) -> None:
    connection.execute(_DROP_RUN, {"of_run_id": run_id})


def forget_runs(connection: Connection, before: datetime) -> int:
    return connection.execute(_FORGET_RUNS, {"of_instant": before}).rowcount


def save_agent_result(
    connection: Connection,
    report: AgentReport,
    *,
    run_id: str,
    at: datetime,
    complete: bool,
    as_of: datetime | None = None,
) -> None:
    row: dict[str, object] = {
        "agent_id": report.agent_id,
        "run_id": run_id,
        "ended_at": at,
        "set_aside": len(report.set_aside),
        "problem": dump_problems(report.problems[:1]) if report.problems else None,
    }
    # Without it the instant of the last complete run stays.
    upsert(connection, agent_run, [row | {"complete_at": as_of or at} if complete else row])


def save_figures(connection: Connection, figures: PlanFigures) -> None:
    upsert(connection, first_plan, [asdict(figures)])


def drop_figures(connection: Connection, agent_id: int) -> None:
    connection.execute(delete(first_plan).where(first_plan.c.agent_id == agent_id))


def figures(connection: Connection) -> tuple[PlanFigures, ...]:
    rows = connection.execute(select(first_plan).order_by(first_plan.c.agent_id))
    return tuple(PlanFigures(*row) for row in rows)


def agent_status(connection: Connection) -> tuple[AgentStatus, ...]:
    held = select(hold.c.agent_id, func.count().label("n")).group_by(hold.c.agent_id).subquery()
    pending = (
        select(intent.c.agent_id, func.count().label("n"))
        .where(intent.c.outcome.is_(None))
        .group_by(intent.c.agent_id)
        .subquery()
    )
    conflicts = (
        select(conflict.c.agent_id, func.count().label("n"))
        .where(conflict.c.over_at.is_(None))
        .group_by(conflict.c.agent_id)
        .subquery()
    )
    query = (
        select(
            linked_agent.c.agent_id,
            linked_agent.c.state,
            agent_run.c.complete_at,
            agent_run.c.run_id,
            agent_run.c.problem,
            func.coalesce(held.c.n, 0),
            func.coalesce(agent_run.c.set_aside, 0),
            func.coalesce(pending.c.n, 0),
            func.coalesce(conflicts.c.n, 0),
        )
        .outerjoin(agent_run, agent_run.c.agent_id == linked_agent.c.agent_id)
        .outerjoin(held, held.c.agent_id == linked_agent.c.agent_id)
        .outerjoin(pending, pending.c.agent_id == linked_agent.c.agent_id)
        .outerjoin(conflicts, conflicts.c.agent_id == linked_agent.c.agent_id)
        .order_by(linked_agent.c.agent_id)
    )
    return tuple(
        AgentStatus(
            agent_id, AgentState(state), complete_at, run_id, load_problems(problem)[0] if problem else None, *n
        )
        for agent_id, state, complete_at, run_id, problem, *n in connection.execute(query)
    )
