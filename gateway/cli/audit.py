"""`audit`: both sides as they are now against what the gateway believes. Writes to neither."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gateway.audit.repair import read_again, stale_calendars
from gateway.audit.values import AuditReport, Cause, Finding
from gateway.cli.describe import problem_json, problem_lines
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import counted, messages, moment, print_json, results, table
from gateway.cli.session import remote, require_enrolled
from gateway.composition import Application, auditor
from gateway.sync.values import CalendarRef

_MOST_SHOWN = 50
_CAUSE_COLUMNS = ("Cause", "Counts", "How many", "Agents", "What it means", "What to do")
_COLUMNS = ("Agent", "Cause", "When", "Which", "What")


def run(config: Path, agent_ids: Sequence[int], wave: int | None, *, repair_shadow: bool, as_json: bool) -> Exit:
    """Exit code 0: no drift; 1: drift; 3: some agent could not be compared."""
    with remote(config) as application:
        chosen = _chosen(application, agent_ids, wave)
        with counted("Agents", len(chosen), as_json=as_json) as one_done:
            report = auditor(application).run(chosen, on_agent=one_done)
        repaired = _repair(application, report) if repair_shadow else ()
    passed_over = sorted(set(chosen) - {each.agent_id for each in report.agents})
    if as_json:
        print_json({**_json(report, repaired), "not_synced": passed_over})
    else:
        _show(report, repaired)
        if passed_over:
            messages().print(f"Paused, so not compared: {', '.join(map(str, passed_over))}.")
    if report.not_compared:
        return Exit.REMOTE
    return Exit.NEEDS_PERSON if report.drift else Exit.FINE


def _chosen(application: Application, agent_ids: Sequence[int], wave: int | None) -> list[int]:
    """By id or wave; everybody when neither is given."""
    store = application.store
    require_enrolled(store, agent_ids)
    enrolled = store.agents()
    if wave is not None and not any(agent.wave == wave for agent in enrolled):
        raise UserError(f"Nobody enrolled is in wave {wave}.", remedy="See `rdv-gateway agents`.")
    if not agent_ids and wave is None:
        return [agent.agent_id for agent in enrolled]
    return [agent.agent_id for agent in enrolled if agent.agent_id in agent_ids or _is_in(agent.wave, wave)]


def _is_in(wave: int | None, wanted: int | None) -> bool:
    return wanted is not None and wave == wanted


def _repair(application: Application, report: AuditReport) -> tuple[CalendarRef, ...]:
    """Raises `AnotherSync` while one is at work: it would undo this."""
    known = {agent.agent_id: agent for agent in application.store.agents()}
    calendars = [ref for each in report.agents for ref in known[each.agent_id].calendars]
    stale = stale_calendars((found for each in report.agents for found in each.drift), calendars)
    if stale:
        with application.store.sync_lock():
            read_again(application.store, stale, at=application.clock.now(), by=getpass.getuser())
    return stale


def _json(report: AuditReport, repaired: Iterable[CalendarRef]) -> dict[str, object]:
    return {
        "started_at": report.started_at,
        "seconds": round(report.seconds, 3),
        "drift": report.drift,
        "not_compared": report.not_compared,
        "agents": [
            {
                "agent": each.agent_id,
                "drift": len(each.drift),
                "compared": {
                    "events": each.compared.events,
                    "rdvs": each.compared.rdvs,
                    "absences": each.compared.absences,
                    "copies": each.compared.copies,
                    "blocks": each.compared.blocks,
                    "mirrors": each.compared.mirrors,
                },
                "findings": [finding_json(finding) for finding in each.findings],
                "errors": [problem_json(problem) for problem in each.problems],
            }
            for each in report.agents
        ],
        "causes": [
            {
                "cause": cause.value,
                "is_drift": cause.is_drift,
                "count": count,
                "agents": agents,
                "means": cause.explanation,
                "remedy": cause.remedy,
            }
            for cause, count, agents in _by_cause(report)
        ],
        "read_again": [str(ref) for ref in repaired],
        "requests": dict(report.requests),
    }


def finding_json(finding: Finding) -> dict[str, object]:
    """One difference for scripts."""
    return {
        "agent": finding.agent_id,
        "cause": finding.cause.value,
        "is_drift": finding.cause.is_drift,
        "kind": finding.kind,
        "reference": finding.reference,
        "what": finding.what,
        "fields": list(finding.fields),
        "when": finding.when,
    }


def _by_cause(report: AuditReport) -> Iterator[tuple[Cause, int, int]]:
    """How many of each cause, and of how many agents; those that count first."""
    findings = [finding for each in report.agents for finding in each.findings]
    counts = Counter(finding.cause for finding in findings)
    for cause in Cause:
        if counts[cause]:
            yield cause, counts[cause], len({each.agent_id for each in findings if each.cause is cause})


def _show(report: AuditReport, repaired: Sequence[CalendarRef]) -> None:
    console = results()
    rows = [
        (cause.value, "yes" if cause.is_drift else "no", count, agents, cause.explanation, cause.remedy)
        for cause, count, agents in _by_cause(report)
    ]
    if rows:
        console.print(table("Differences", _CAUSE_COLUMNS, rows))
    counting = [finding for each in report.agents for finding in each.drift]
    others = [found for each in report.agents for found in each.findings if not found.cause.is_drift]
    shown = [*counting, *others][:_MOST_SHOWN]
    if shown:
        console.print(table("Each", _COLUMNS, map(_row, shown)))
    if len(shown) < len(counting) + len(others):
        messages().print(f"{len(counting) + len(others) - len(shown)} more: name agents, or take --json.")
    for line in problem_lines(problem for each in report.agents for problem in each.problems):
        messages().print(line)
    if repaired:
        messages().print(f"The next sync reads whole: {', '.join(map(str, repaired))}.")
    compared = sum(not each.problems for each in report.agents)
    apart = f", {report.not_compared} could not be compared" if report.not_compared else ""
    requests = ", ".join(f"{count} to {system}" for system, count in report.requests)
    console.print(
        f"Drift: {report.drift}. {compared} agents compared{apart} in {report.seconds:.1f} s; requests: {requests}."
    )


def _row(finding: Finding) -> tuple[object, ...]:
    return (finding.agent_id, finding.cause.value, moment(finding.when), finding.reference, finding.what)
