"""`leave`: stop the sync of agents for good, and keep or remove what was written, with a statement of it."""

from __future__ import annotations

import getpass
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import typer

from gateway.agents.leaving import Leaving, found_statements
from gateway.agents.searching import Search, search
from gateway.agents.statement import Leave, statement_json, statement_text, webhook_endpoints
from gateway.cli.agents_file import write_new
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import counted, messages, print_json, progress, results
from gateway.cli.session import require_enrolled, syncing
from gateway.composition import Application


def run(
    config: Path,
    agents: tuple[int, ...],
    statement: Path | None,
    *,
    every: bool,
    keep: bool,
    remove: bool,
    yes: bool,
    as_json: bool,
) -> Exit:
    """Say what there is; do it when it is confirmed; print the statement, and write it into a file."""
    if keep == remove:
        raise UserError("Say what becomes of what was written.", remedy="Give --keep or --remove.")
    if every == bool(agents):
        raise UserError("Name the agents who leave, or give --all.", remedy="See `rdv-gateway agents`.")
    if statement is not None and statement.exists():
        raise UserError(f"{statement} exists already.", remedy="Name another file with --statement.")
    with syncing(config) as application:
        chosen = None if every else agents
        leave = _kept(application, chosen, yes=yes) if keep else _removed(application, chosen, yes=yes, as_json=as_json)
    file = None
    if leave.done:
        file = statement or _new_place(config.absolute().parent / f"leave-{leave.at:%Y%m%d-%H%M%S}")
        write_new(file, statement_text(leave))
    if as_json:
        print_json({**statement_json(leave), "statement": str(file) if file else None})
    else:
        results().print(statement_text(leave), end="", soft_wrap=True)
        messages().print(f"The statement is in {file}." if file else "Nothing was changed; --yes does it.")
    if any(problem.addressee != "nobody" for problem in leave.problems):
        return Exit.REMOTE
    return Exit.FINE if leave.done and leave.is_complete else Exit.NEEDS_PERSON


def _kept(application: Application, agents: tuple[int, ...] | None, *, yes: bool) -> Leave:
    store = application.store
    if agents is not None:
        require_enrolled(store, agents)
    chosen = [agent for agent in store.agents() if agents is None or agent.agent_id in agents]
    confirmed = yes or _confirmed(f"Stop the sync of {len(chosen)} agents, and keep what was written?")
    leaving = Leaving(application, by=getpass.getuser())
    statements = leaving.keep(chosen) if confirmed else leaving.as_they_are(chosen)
    return Leave(application.clock.now(), getpass.getuser(), kept=True, done=confirmed, agents=statements)


def _removed(application: Application, agents: tuple[int, ...] | None, *, yes: bool, as_json: bool) -> Leave:
    with progress("Looking for what was written…", as_json=as_json):
        found = search(application, agents)
        endpoints = webhook_endpoints(application.rdv_solidarites) if agents is None else ()
    looked = _leave(application, found)
    looked = replace(looked, endpoints=endpoints)
    if not yes and not as_json and sys.stdin.isatty():
        results().print(statement_text(looked), soft_wrap=True)
    if not yes and (as_json or not _confirmed(f"Remove these {len(found.removals)}?")):
        return looked
    with counted("Agents", len(found.agents), as_json=as_json) as one_done:
        statements = Leaving(application, by=getpass.getuser()).remove(found, on_statement=one_done)
    return replace(looked, at=application.clock.now(), done=True, agents=statements)


def _leave(application: Application, found: Search) -> Leave:
    return Leave(
        at=application.clock.now(),
        by=getpass.getuser(),
        kept=False,
        done=False,
        agents=found_statements(found),
        doubts=tuple(doubt for doubt in found.doubts if doubt.agent_id not in found.agents),
        problems=found.problems,
        calendars=found.calendars,
    )


def _new_place(stem: Path) -> Path:
    """What was done is said, also the second time within a second."""
    names = (stem.with_name(f"{stem.name}{'' if number == 1 else f'-{number}'}.txt") for number in count(1))
    return next(path for path in names if not path.exists())


def _confirmed(question: str) -> bool:
    return sys.stdin.isatty() and typer.confirm(question, err=True)
