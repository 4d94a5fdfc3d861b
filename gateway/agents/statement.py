"""The statement of a leaving: what was found and done, as text for a person and as JSON. Ids and counts only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from connectors.errors import ConnectorError, RightsMissing
from connectors.ports import RdvSolidarites
from gateway.agents.leaving import Statement
from gateway.agents.traces import Doubt, Trace
from gateway.sync.values import Problem

_NAMES = {Trace.COPY: "copies of RDVs", Trace.BLOCK: "busy blocks", Trace.MIRROR: "events of absences"}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is known of one organisation's webhook endpoints: (id, address without what could be secret), or why not."""

    organisation_id: int
    endpoints: tuple[tuple[int, str], ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """Everything that one command says. `done`: False when it only looked."""

    at: datetime
    by: str
    kept: bool
    done: bool
    agents: tuple[Statement, ...]
    doubts: tuple[Doubt, ...] = ()  # of nobody that is known
    problems: tuple[Problem, ...] = ()  # of the search
    endpoints: tuple[Endpoints, ...] = ()
    calendars: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do or to decide, webhook endpoints apart."""
        return not self.doubts and not self.problems and all(agent.is_complete or self.kept for agent in self.agents)


def webhook_endpoints(client: RdvSolidarites) -> tuple[Endpoints, ...]:
    """Those of every organisation. Only the web page of RDV-Solidarités can delete one."""
    found: list[Endpoints] = []
    for organisation in client.organisations():
        try:
            listed = client.webhook_endpoints(organisation.id)
        except RightsMissing:
            found.append(Endpoints(organisation.id, why_not="the technical account may not list them"))
        except ConnectorError as error:
            found.append(Endpoints(organisation.id, why_not=str(error)))
        else:
            places = tuple((endpoint.id, _address(endpoint.target_url)) for endpoint in listed)
            found.append(Endpoints(organisation.id, places))
    return tuple(found)


def _address(url: str) -> str:
    """Scheme and host: paths and queries of webhooks often hold a secret."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}"
    except ValueError:
        return "(not an address)"


# --- text ----------------------------------------------------------------------------------------------------


def statement_text(leave: Leave) -> str:
    """For a file, and for the terminal."""
    what = "what was written is kept" if leave.kept else "what was written is removed"
    if not leave.done:
        what += " (not done: this only says what was found)"
    lines = [f"Leaving, {leave.at:%Y-%m-%d %H:%M}Z, by {leave.by}: {what}.", ""]
    for agent in leave.agents:
        lines += _agent_lines(agent, leave)
    if leave.calendars:
        lines.append(f"{leave.calendars} calendars were looked through.")
    lines += _part("For a person to decide; nothing was touched:", (_doubt(each) for each in leave.doubts))
    lines += _part("Could not be read; there may be more behind:", _problem_lines(leave.problems))
    lines += _endpoint_lines(leave.endpoints)
    return "\n".join(lines).rstrip() + "\n"


def _agent_lines(agent: Statement, leave: Leave) -> list[str]:
    lines = [f"Agent {agent.agent_id}"]
    for kind in Trace:
        found = agent.found.get(kind, 0)
        became = "kept" if leave.kept else f"{agent.removed.get(kind, 0)} removed, {agent.still_there(kind)} left"
        lines.append(f"  {_NAMES[kind]}: {found} found" + (f", {became}" if leave.done and found else ""))
    if agent.typed:
        lines.append(f"  absences typed by persons: {agent.typed}, never touched")
    if agent.unsettled:
        lines.append(f"  earlier writes not settled yet: {agent.unsettled}; run the same command again in some minutes")
    lines += [f"  {line}" for line in _part("for a person to decide:", (_doubt(each) for each in agent.doubts))]
    lines += [f"  {line}" for line in _part("not done:", _problem_lines(agent.problems))]
    return [line.rstrip() for line in [*lines, ""]]


def _part(title: str, entries: Iterable[str]) -> list[str]:
    listed = [f"- {entry}" for entry in entries]
    return [title, *listed] if listed else []


def _doubt(doubt: Doubt) -> str:
    return f"{doubt.where}: {doubt.why}"


def _problem_lines(problems: Sequence[Problem]) -> Iterable[str]:
    return (f"{problem.system}: {problem.reason} -> {problem.remedy}" for problem in problems)


def _endpoint_lines(organisations: Sequence[Endpoints]) -> list[str]:
    lines: list[str] = []
    for each in organisations:
        if each.why_not:
            lines.append(f"organisation {each.organisation_id}: not known ({each.why_not})")
        lines += [
            f"organisation {each.organisation_id}: endpoint {number}, {place}" for number, place in each.endpoints
        ]
    title = "Webhook endpoints, which only the web page of RDV-Solidarités can delete (delete those of the gateway):"
    return _part(title, lines)


# --- JSON ----------------------------------------------------------------------------------------------------


def statement_json(leave: Leave) -> dict[str, object]:
    """For scripts."""
    return {
        "at": leave.at,
        "kept": leave.kept,
        "done": leave.done,
        "complete": leave.done and leave.is_complete,
        "agents": [_agent_json(agent) for agent in leave.agents],
        "for_a_person": [_doubt_json(doubt) for doubt in leave.doubts],
        "errors": [_problem_json(problem) for problem in leave.problems],
        "webhook_endpoints": [
            {
                "organisation": each.organisation_id,
                "endpoints": [{"id": number, "address": place} for number, place in each.endpoints],
                "not_known": each.why_not or None,
            }
            for each in leave.endpoints
        ],
        "calendars": leave.calendars,
    }


def _agent_json(agent: Statement) -> dict[str, object]:
    return {
        "agent": agent.agent_id,
        "found": {kind.value: agent.found.get(kind, 0) for kind in Trace},
        "removed": {kind.value: agent.removed.get(kind, 0) for kind in Trace},
        "left": {kind.value: agent.still_there(kind) for kind in Trace},
        "typed_by_persons": agent.typed,
        "unsettled": agent.unsettled,
        "for_a_person": [_doubt_json(doubt) for doubt in agent.doubts],
        "errors": [_problem_json(problem) for problem in agent.problems],
    }


def _doubt_json(doubt: Doubt) -> dict[str, object]:
    return {"agent": doubt.agent_id, "where": doubt.where, "reason": doubt.why}


def _problem_json(problem: Problem) -> dict[str, object]:
    return {
        "agent": problem.agent_id,
        "system": problem.system,
        "reason": problem.reason,
        "addressee": problem.addressee,
        "remedy": problem.remedy,
    }
