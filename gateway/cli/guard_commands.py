# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line of what waits, stays as it is or is put back: names, options and help."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import typer

from gateway.cli.options import DEFAULT_CONFIG, AgentIds, Config, Everybody, Json

outage_app = typer.Typer(help="Systems that are known to be away.", no_args_is_help=True)
System = Annotated[
    str, typer.Argument(metavar="SYSTEM", help="rdv_solidarites, an account's name, or a server as host:port.")
]
OperationClassName = Literal["cover", "uncover", "copy", "uncopy", "mirror"]
HoldReasonName = Literal[
    "first_run",
    "many_removals",
    "unproven",
    "found_absence",
    "shrunken_calendar",
    "calendar_restored",
    "rdv_solidarites_restored",
    "database_restored",
    "many_freed",
    "many_agents",
]


def holds(agent: AgentIds = None, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List what waits, by state: how much, of whom, what it is and how it ends. Reaches no remote system."""
    from gateway.cli import holds as command

    raise typer.Exit(command.run(config, tuple(agent or ()), as_json=as_json))


def reject(
    *,
    agent: AgentIds = None,
    every: Everybody = False,
    only_class: Annotated[OperationClassName | None, typer.Option("--class", help="Only this class.")] = None,
    reason: Annotated[HoldReasonName | None, typer.Option("--reason", help="Only what is held for this.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Reject without asking.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show what is held and refuse it: it stays as it is until its source asks for something else."""
    from gateway.cli import approve, rejecting

    choice = approve.Choice(agents=tuple(agent or ()), every=every, op_class=only_class, reason=reason)
    raise typer.Exit(rejecting.reject(config, choice, yes=yes, as_json=as_json))


def pins(
    *,
    agent: AgentIds = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let them follow their sources again.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="With --remove: also let through what was rejected.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """List what stays as it is since it was rejected or undone, and remove such pins. Reaches no remote system."""
    from gateway.cli import rejecting

    code = rejecting.pins(config, tuple(agent or ()), remove=remove, approve=approve, as_json=as_json)
    raise typer.Exit(code)


def undo(
    *,
    target: Annotated[
        str, typer.Argument(metavar="RUN|ENTRY", help="A run's id or its beginning, or an entry's number.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be put back, and what is refused.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Undo without asking.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Put back on both sides what a run, or one write, changed; item by item, but for what somebody edited since."""
    from gateway.cli import undoing as command

    raise typer.Exit(command.run(config, target, dry_run=dry_run, yes=yes, as_json=as_json))


@outage_app.command()
def declare(
    *,
    system: System,
    until: Annotated[
        datetime | None, typer.Option("--until", help="When it ends by itself, such as 2026-03-02T09:00.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for colleagues.")] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Say that a system is away from now on: nothing of it is read, judged or told; the others go on."""
    from gateway.cli import outages as command

    raise typer.Exit(command.declare(config, system, until, reason, as_json=as_json))


@outage_app.command()
def end(*, system: System, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Say that a system is back. Its agents are caught up one after the other, nearest dates first."""
    from gateway.cli import outages as command

    raise typer.Exit(command.end(config, system, as_json=as_json))


@outage_app.command(name="list")
def list_(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List the outages that are declared."""
    from gateway.cli import outages as command

    raise typer.Exit(command.show(config, as_json=as_json))
