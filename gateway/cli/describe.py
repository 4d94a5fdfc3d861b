"""Reports as people and scripts read them: times, ids and rules. Never a title, a place, a note or an attendee.

Only named fields of the values are taken, so that a field added to a value tomorrow is not shown by accident.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from gateway.cli.output import moment
from gateway.sync.values import (
    Action,
    AgentReport,
    Conflict,
    ConflictKind,
    Held,
    LinkedAgent,
    ObjectKind,
    Operation,
    Problem,
    RunReport,
    SetAside,
    Side,
    Stop,
)

OPERATION_COLUMNS = ("Agent", "Where", "Action", "What", "From", "To", "Which", "Rule")
HELD_COLUMNS = (*OPERATION_COLUMNS[:-1], "Held for")

Zones = Mapping[int, ZoneInfo]
"""Agents' zones by id. The times of one who is missing are shown in UTC, with a Z."""

_PLACES = {Side.CALENDAR: "calendar", Side.RDV_SOLIDARITES: "RDV-Solidarités"}
_OBJECTS = {
    ObjectKind.RDV_COPY: "copy of an RDV",
    ObjectKind.BUSY_BLOCK: "busy block",
    ObjectKind.ABSENCE_EVENT: "event of an absence",
    ObjectKind.ABSENCE: "absence",
}


def place(side: Side) -> str:
    """A side, for people."""
    return _PLACES[side]


def thing(kind: ObjectKind) -> str:
    """A kind of object, for people."""
    return _OBJECTS[kind]


def times_of(operation: Operation) -> tuple[date | datetime, date | datetime | None]:
    """Start and end that the object shall have; of a removal only the start is known."""
    if operation.interval is not None:
        return operation.interval.start, operation.interval.end
    if operation.draft is not None:
        return operation.draft.start, operation.draft.end
    return operation.when, None


def operation_json(operation: Operation) -> dict[str, object]:
    """An operation for scripts. `start`/`end`: wall-clock of the agent without offset, instants with one."""
    start, end = times_of(operation)
    return {
        "side": operation.side.value,
        "action": operation.action.value,
        "object": operation.kind.value,
        "agent": operation.agent_id,
        "rule": operation.rule,
        "class": operation.op_class.value,
        "start": start,
        "end": end,
        "rdv": operation.rdv_id,
        "absence": operation.absence_id,
        "calendar": str(operation.ref) if operation.ref else None,
        "href": operation.href or None,
    }


def operation_row(operation: Operation, zones: Zones) -> tuple[object, ...]:
    """An operation as a row under `OPERATION_COLUMNS`, in the agent's own time."""
    zone = zones.get(operation.agent_id)
    start, end = (_local(time, zone) for time in times_of(operation))
    return (
        operation.agent_id,
        place(operation.side),
        operation.action.value,
        thing(operation.kind),
        moment(start),
        moment(end),
        which(operation.rdv_id, operation.absence_id),
        operation.rule,
    )


def which(rdv_id: int | None, absence_id: int | None) -> str:
    """The object's id, for people."""
    if rdv_id is not None:
        return f"rdv {rdv_id}"
    return f"absence {absence_id}" if absence_id is not None else "-"


def held_json(held: Held) -> dict[str, object]:
    """A held operation: why it waits (`reason`, `explanation`), and what it is."""
    return {"reason": held.reason.value, "explanation": held.explanation, **operation_json(held.operation)}


def held_row(held: Held, zones: Zones) -> tuple[object, ...]:
    """A held operation as a row under `HELD_COLUMNS`."""
    return (*operation_row(held.operation, zones)[:-1], held.explanation or held.reason.value)


def zones_of(agents: Iterable[LinkedAgent]) -> Zones:
    """Each agent's zone, by id."""
    return {agent.agent_id: agent.zone for agent in agents}


def _local(time: date | datetime | None, zone: ZoneInfo | None) -> date | datetime | None:
    """An instant as the agent's wall-clock; what has no offset is one already."""
    if zone is None or not isinstance(time, datetime) or time.tzinfo is None:
        return time
    return time.astimezone(zone).replace(tzinfo=None)


def set_aside_json(item: SetAside) -> dict[str, object]:
    """An item that cannot be read."""
    return {"agent": item.agent_id, "reason": item.reason, "href": item.href}


def conflict_json(conflict: Conflict) -> dict[str, object]:
    """Something that a person should settle."""
    return {
        "agent": conflict.agent_id,
        "reason": conflict.reason,
        "kind": conflict.kind.value,
        "rdv": conflict.rdv_id,
        "absence": conflict.absence_id,
        "href": conflict.href or None,
        "start": conflict.start,
        "end": conflict.end,
        "remedy": remedy_of(conflict.kind),
    }


_REMEDIES = {
    ConflictKind.BOTH_EDITED: "Nothing if the value that was kept is right; else correct it on either side.",
    ConflictKind.DELETED_AND_EDITED: "Nothing if that is right; else make it again.",
    ConflictKind.PUT_BACK_TOO_OFTEN: "Change the RDV in RDV-Solidarités; its copy follows.",
    ConflictKind.NATIVE_SYNC: (
        "As the agent, in RDV-Solidarités: switch its sync off (/agents/calendar_sync), or its mails (preferences); or"
        " remove the subscription from the calendar. Then delete what is left of it. To keep it: copy_rdvs = false."
    ),
    ConflictKind.ORPHAN: "Look at it; delete it by hand if it stands for nothing.",
    ConflictKind.NEAR_TWIN: "Align one of the two to pair them, or leave both.",
    ConflictKind.RDV_OVER_BUSY: (
        "Move the RDV or the other; if both may stand, free the time in RDV-Solidarités: shorten or delete the absence."
    ),
}


def remedy_of(kind: ConflictKind) -> str:
    """What a person can do about it."""
    return _REMEDIES[kind]


def problem_json(problem: Problem) -> dict[str, object]:
    """An error, who can mend it and how."""
    return {
        "agent": problem.agent_id,
        "system": problem.system,
        "reason": problem.reason,
        "addressee": problem.addressee,
        "remedy": problem.remedy,
    }


def problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Errors for people, equal ones together: where, what, of which agents, for whom, and what to do."""
    agents: dict[Problem, list[int]] = {}
    for problem in problems:
        concerned = agents.setdefault(replace(problem, agent_id=None), [])
        if problem.agent_id is not None:
            concerned.append(problem.agent_id)
    for problem, concerned in agents.items():
        of_whom = f" (agents: {', '.join(map(str, concerned))})" if concerned else ""
        yield f"{problem.system}: {problem.reason}{of_whom}\n-> {problem.addressee}: {problem.remedy}"


def operations_of(report: RunReport) -> Iterator[Operation]:
    """What a run did, or, for a dry one, what it would do."""
    for agent in report.agents:
        yield from agent.planned if report.dry_run else agent.done


def problems_of(report: RunReport) -> Iterator[Problem]:
    """Errors of the whole run, then of each agent."""
    yield from report.problems
    for agent in report.agents:
        for problem in agent.problems:
            yield replace(problem, agent_id=agent.agent_id)


def run_json(report: RunReport) -> dict[str, object]:
    """A run for scripts: the shape of `plan`, of `sync` and of each round of the demo."""
    return {
        "run": report.run_id,
        "dry_run": report.dry_run,
        "started_at": report.started_at,
        "seconds": round(report.seconds, 3),
        "operations": [operation_json(operation) for operation in operations_of(report)],
        "held": [held_json(held) for agent in report.agents for held in agent.held],
        "waiting": [operation_json(operation) for agent in report.agents for operation in agent.waiting],
        "stopped": stop_json(report.stop),
        "told": list(report.told),
        "set_aside": [set_aside_json(item) for agent in report.agents for item in agent.set_aside],
        "conflicts": [conflict_json(conflict) for agent in report.agents for conflict in agent.conflicts],
        "errors": [problem_json(problem) for problem in problems_of(report)],
        "unsettled": sum(agent.unsettled for agent in report.agents),
        "requests": dict(report.requests),
    }


def stop_json(given: Stop | None) -> dict[str, object] | None:
    """A stop for scripts."""
    return None if given is None else {"since": given.at, "by": given.by, "reason": given.reason or None}


def writes(operations: Iterable[Operation], side: Side) -> int:
    """How many of them write on that side: all but pairings."""
    return sum(operation.side is side and operation.writes for operation in operations)


def seconds_needed(operations: Sequence[Operation], requests_per_second: float) -> float:
    """How long the writes to RDV-Solidarités last at the configured rate; changes and removals read first."""
    requests = 0
    for operation in operations:
        if operation.side is Side.RDV_SOLIDARITES and operation.writes:
            requests += 1 if operation.action is Action.CREATE else 2
    return requests / requests_per_second


def tally(agents: Iterable[AgentReport]) -> str:
    """`3 held (first_run), 1 in conflict, 1 set aside`, or nothing."""
    agents = tuple(agents)
    reasons = Counter(held.reason.value for agent in agents for held in agent.held)
    parts = [f"{count} held ({reason})" for reason, count in sorted(reasons.items())]
    conflicts = sum(len(agent.conflicts) for agent in agents)
    aside = sum(len(agent.set_aside) for agent in agents)
    unsettled = sum(agent.unsettled for agent in agents)
    waiting = sum(len(agent.waiting) for agent in agents)
    parts += [f"{waiting} left to later runs"] if waiting else []
    parts += [f"{conflicts} in conflict"] if conflicts else []
    parts += [f"{aside} set aside"] if aside else []
    parts += [f"{unsettled} unsettled"] if unsettled else []
    return ", ".join(parts)
