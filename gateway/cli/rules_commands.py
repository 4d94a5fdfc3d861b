# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line of rules: names, options and help of `rules …` and `seen-by`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.options import DEFAULT_CONFIG, AgentIds, Config, Json, Wave

rules_app = typer.Typer(help="Look at the département's rules, and try others.", no_args_is_help=True)

OneAgent = Annotated[int, typer.Argument(metavar="AGENT", help="The agent's id.")]


@rules_app.command()
def explain(
    *,
    agent: OneAgent,
    event: Annotated[
        str | None,
        typer.Argument(
            metavar="EVENT", help="An event of theirs: its href or UID, or a time such as 2026-03-02T09:00, or a day."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what nobody chose.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Say which rules hold for an agent and where each is set; of an event, read live, why it blocks or not."""
    from gateway.cli import rules_explain as command

    if event is None:
        raise typer.Exit(command.agent(config, agent, everything=everything, as_json=as_json))
    raise typer.Exit(command.event(config, agent, event, as_json=as_json))


@rules_app.command()
def ids(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List what rules can be for: organisations, and the services and motifs of each."""
    from gateway.cli import rules_explain as command

    raise typer.Exit(command.ids(config, as_json=as_json))


@rules_app.command()
def simulate(
    *,
    agent: AgentIds = None,
    file: Annotated[
        Path, typer.Option("--with", metavar="FILE", help="The changed rules: a whole configuration, or [rules] alone.")
    ],
    wave: Wave = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Say what other rules would make appear and disappear, by what was last read. Writes and saves nothing."""
    from gateway.cli import rules_simulate as command

    raise typer.Exit(command.run(config, file, tuple(agent or ()), wave, as_json=as_json))


def seen_by(
    *,
    viewer: Annotated[Literal["colleague", "usager"], typer.Argument(metavar="VIEWER", help="colleague, or usager.")],
    agent: OneAgent,
    day: Annotated[
        datetime | None,
        typer.Option("--day", metavar="DAY", formats=["%Y-%m-%d"], help="Which day, as 2026-03-02; today if left out."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show a day of an agent as a colleague sees it, or a usager: what the rules let out, and no more."""
    from gateway.cli import seen_by as command

    raise typer.Exit(command.run(config, viewer, agent, None if day is None else day.date(), as_json=as_json))
