"""`agents export`, `agents import` and `agents propose`: the mapping file of a whole département."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from pathlib import Path

from gateway.agents import roster as rosters
from gateway.agents.accounts import account_check
from gateway.agents.homes import organisations_by_agent
from gateway.agents.proposing import Proposal, Proposing
from gateway.agents.roster import Edit, Import, Known, known
from gateway.agents.roster_file import (
    BYTE_ORDER_MARK,
    LineFault,
    RosterLine,
    UnreadableRoster,
    read_roster,
    roster_json,
    write_csv,
    write_json,
)
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, print_json, progress, results, table
from gateway.cli.session import remote
from gateway.composition import Application


def export(config: Path, output: Path | None, *, as_json: bool) -> Exit:
    """Everybody whom RDV-Solidarités shows or the gateway knows, as a file or on stdout."""
    with remote(config) as application, progress("Reading agents…", as_json=as_json):
        lines = rosters.roster(_known(application))
    _write(lines, output, as_json=as_json)
    return Exit.FINE


def import_(config: Path, file: Path, *, yes: bool, as_json: bool) -> Exit:
    """Show what the file would change; change it with `yes`. A line that cannot be used is set aside and named."""
    try:
        read = read_roster(file.read_bytes())
    except UnreadableRoster as error:
        raise UserError(f"{file}: {error}", remedy=error.remedy) from None
    with remote(config) as application:
        with progress("Reading agents…", as_json=as_json):
            found = rosters.compare(read.lines, _known(application, read.lines))
        faults = sorted((*read.faults, *found.faults), key=lambda fault: fault.line)
        if yes:
            rosters.apply(application.store, found.edits, at=application.clock.now(), by=getpass.getuser())
    if as_json:
        print_json(
            {
                "changed" if yes else "would_change": [_edit_json(edit) for edit in found.edits],
                "unchanged": found.unchanged,
                "set_aside": [{"line": each.line, "reason": each.what, "remedy": each.remedy} for each in faults],
            }
        )
    else:
        _show(found, faults, done=yes)
    return Exit.NEEDS_PERSON if faults else Exit.FINE


def propose(config: Path, output: Path | None, wave_size: int | None, *, as_json: bool) -> Exit:
    """Look for the calendars of everybody who has none here yet, and write the mapping file."""
    with remote(config) as application, progress("Looking for calendars…", as_json=as_json):
        proposing = Proposing(application.settings, application.accounts)
        homes = organisations_by_agent(application.rdv_solidarites)
        proposal = proposing.propose(_known(application), homes=homes, wave_size=wave_size)
    if as_json and output is None:
        print_json({"agents": [roster_json(line) for line in proposal.lines], **_proposal_json(proposal)})
    else:
        _write(proposal.lines, output, as_json=False)
    if as_json and output is not None:
        print_json({"file": str(output), **_proposal_json(proposal)})
    elif not as_json:
        _show_proposal(proposal, output)
    return Exit.NEEDS_PERSON if proposal.unmatched else Exit.FINE


def _known(application: Application, lines: Sequence[RosterLine] = ()) -> Known:
    """`lines`: what is to be compared with it."""
    agents = application.rdv_solidarites.agents()
    organisations: list[int] | None = None
    if any(line.organisation is not None for line in lines):
        organisations = [each.id for each in application.rdv_solidarites.organisations()]
    return known(application.store, agents, account_check(application.settings), organisations)


# --- files ---------------------------------------------------------------------------------------------------


def _write(lines: Sequence[RosterLine], output: Path | None, *, as_json: bool) -> None:
    if output is None:
        print(write_json(lines) if as_json else write_csv(lines), end="")
        return
    is_json = as_json or output.suffix.casefold() == ".json"
    text = write_json(lines) if is_json else BYTE_ORDER_MARK + write_csv(lines)
    write_new(output, text)
    messages().print(f"{len(lines)} agents are in {output}.")


def write_new(path: Path, text: str) -> None:
    """A file of ours, mode 0640 at most, as it is: line ends are those of `text`. Raises `UserError` if it exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    except FileExistsError:
        raise UserError(f"{path} exists already.", remedy="Name another file.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)


# --- showing -------------------------------------------------------------------------------------------------


def _edit_json(edit: Edit) -> dict[str, object]:
    return {"line": edit.line, "agent": edit.agent_id, "what": list(edit.what), "fields": list(edit.fields)}


def _show(found: Import, faults: Sequence[LineFault], *, done: bool) -> None:
    if found.edits:
        rows = [(edit.line, edit.agent_id, ", ".join(edit.what), ", ".join(edit.fields)) for edit in found.edits]
        results().print(table("Changed" if done else "Would be changed", ("Line", "Agent", "What", "Columns"), rows))
    if faults:
        rows_aside = [(fault.line, fault.what, fault.remedy) for fault in faults]
        results().print(table("Set aside", ("Line", "Why", "What to do"), rows_aside))
    told = f"{len(found.edits)} to change, {found.unchanged} as they are, {len(faults)} set aside."
    results().print(told)
    ruled = sum(edit.changes_rules for edit in found.edits)
    if ruled:
        messages().print(
            f"Other rules may hold for {ruled} enrolled agents; nothing is planned by this. "
            "See `rdv-gateway rules explain AGENT`, then `rdv-gateway plan`."
        )
    if found.edits and not done:
        messages().print("Nothing was changed; --yes does it.")


def _proposal_json(proposal: Proposal) -> dict[str, object]:
    unmatched = [{"agent": each.agent_id, "reason": each.why, "remedy": each.remedy} for each in proposal.unmatched]
    return {"matched": list(proposal.matched), "home_proposed": list(proposal.housed), "unmatched": unmatched}


def _show_proposal(proposal: Proposal, output: Path | None) -> None:
    """On stderr, since stdout may hold the file."""
    console = messages()
    if proposal.unmatched:
        rows = [(each.agent_id, each.why, each.remedy) for each in proposal.unmatched]
        console.print(table("For a person to decide", ("Agent", "Why", "What to do"), rows))
    console.print(f"{len(proposal.matched)} matched, {len(proposal.unmatched)} for a person to decide.")
    if proposal.housed:
        console.print(f"A home organisation is proposed for {len(proposal.housed)} agents who were known already.")
    if (proposal.matched or proposal.housed) and output is not None:
        console.print(f"Look it through, then: `rdv-gateway agents import {output}`.")
