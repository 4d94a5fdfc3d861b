"""`plan` and `sync`: one run of the engine, dry or real, and what came of it."""

from __future__ import annotations

from pathlib import Path

from connectors.errors import Addressee
from gateway.cli.blocked import blocked, blocked_json, show_blocked
from gateway.cli.conflicts import needs_person, show_conflicts
from gateway.cli.describe import (
    HELD_COLUMNS,
    OPERATION_COLUMNS,
    Zones,
    held_row,
    operation_row,
    operations_of,
    problem_lines,
    problems_of,
    run_json,
    tally,
    writes,
    zones_of,
)
from gateway.cli.exits import Exit, UserError
from gateway.cli.outlook import Outlook, outlook, outlook_text
from gateway.cli.output import counted, messages, print_json, results, table
from gateway.cli.session import require_enrolled, syncing
from gateway.cli.stopping import stop_lines
from gateway.store.problems import SYSTEM as DATABASE
from gateway.sync.values import AgentReport, Operation, RunReport, Side


def run(config: Path, agent_ids: list[int] | None, *, dry_run: bool, as_json: bool) -> Exit:
    """Run once for everybody enrolled, or for the agents named."""
    with syncing(config) as application:
        if not application.store.agents():
            raise UserError("Nobody is enrolled.", remedy="See `rdv-gateway agents`, then `rdv-gateway enroll`.")
        if agent_ids:
            require_enrolled(application.store, agent_ids)
        zones = zones_of(application.store.agents())
        with counted("Agents", len(agent_ids or zones), as_json=as_json) as one_done:
            report = application.engine.run(agent_ids or None, dry_run=dry_run, on_report=one_done)
        expected = _expected(report) if dry_run else []
        ahead = outlook(expected, application.settings, application.store, application.clock.now())
    loads, odd = blocked(report, application.settings.outliers.to_rules())
    if as_json:
        load = {"blocked": blocked_json(loads, odd)} if dry_run else {}
        print_json(_json(report, ahead) | load)
    else:
        show_blocked(loads, odd)
        _show(report, ahead, zones)
    return exit_of(report)


def exit_of(report: RunReport) -> Exit:
    """What ails this machine's database goes before a failure of a remote, and that before what waits for a person. An
    RDV over busy time is for those whom the rules name, not for whoever runs the gateway."""
    problems = list(problems_of(report))
    if any(each.system == DATABASE and each.addressee == Addressee.IT for each in problems):
        return Exit.USAGE
    if problems:
        return Exit.REMOTE
    conflicts = [each for agent in report.agents for each in agent.conflicts]
    waits = any(agent.held for agent in report.agents) or needs_person(each.kind for each in conflicts)
    if report.stop is not None or waits:
        return Exit.NEEDS_PERSON
    return Exit.FINE


def _json(report: RunReport, ahead: Outlook) -> dict[str, object]:
    document = run_json(report)
    if report.dry_run:
        operations = _expected(report)
        document["writes"] = {side.value: writes(operations, side) for side in Side}
        document["seconds_needed"] = round(ahead.seconds, 1)
        document["hours_at_ceiling"] = ahead.hours
    return document


def _expected(report: RunReport) -> list[Operation]:
    """What is planned and what is held: all that would be written once it is approved."""
    held = [waiting.operation for agent in report.agents for waiting in agent.held]
    return [*operations_of(report), *held]


def _show(report: RunReport, ahead: Outlook, zones: Zones) -> None:
    console = results()
    operations = list(operations_of(report))
    title = "Would be done" if report.dry_run else "Done"
    if operations:
        console.print(table(title, OPERATION_COLUMNS, (operation_row(one, zones) for one in operations)))
    held = [waiting for agent in report.agents for waiting in agent.held]
    if held:
        console.print(table("Held until a person approves", HELD_COLUMNS, (held_row(one, zones) for one in held)))
    show_troubles(report.agents)
    for line in problem_lines(problems_of(report)):
        messages().print(line)
    console.print(_summary(report, ahead))
    for sentence in report.told:
        messages().print(f"{sentence[:1].upper()}{sentence[1:]}.")
    for line in stop_lines(report.stop):
        messages().print(line)


def show_troubles(agents: tuple[AgentReport, ...]) -> None:
    """What people should know beside errors: conflicts, and items that cannot be read."""
    console = results()
    show_conflicts([conflict for agent in agents for conflict in agent.conflicts])
    aside = [(item.agent_id, item.href, item.reason) for agent in agents for item in agent.set_aside]
    if aside:
        console.print(table("Set aside", ("Agent", "Item", "Reason"), aside))


def _summary(report: RunReport, ahead: Outlook) -> str:
    rest = tally(report.agents)
    requests = ", ".join(f"{count} to {system}" for system, count in report.requests)
    if report.dry_run:
        text = outlook_text(ahead)
    else:
        operations = list(operations_of(report))
        text = f"{len(operations)} done for {len(report.agents)} agents in {report.seconds:.1f} s"
    return "; ".join(part for part in (text, rest, f"requests: {requests}" if requests else "") if part) + "."
