# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line of alerts: names, options and help."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config, Json

alerts_app = typer.Typer(help="Who was told of what.", invoke_without_command=True)


@alerts_app.callback()
def alerts(context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List what there is to tell, to whom, since when, and when it was told. Reaches no remote system."""
    if context.invoked_subcommand is not None:
        return
    from gateway.cli import alerts as command

    raise typer.Exit(command.run(config, as_json=as_json))


@alerts_app.command(name="test")
def try_out(
    *,
    to: Annotated[
        Literal["it", "referente"] | None, typer.Option("--to", help="To the addresses and webhooks of these.")
    ] = None,
    address: Annotated[str | None, typer.Option("--address", help="To this e-mail address.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Send a message that says nothing, now, and say what each server answered."""
    from gateway.cli import alerts as command

    raise typer.Exit(command.try_out(config, to, address, as_json=as_json))
