# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line of webhooks: names, options and help."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config, Json

webhooks_app = typer.Typer(help="Webhooks of RDV-Solidarités, so that changes come at once.", no_args_is_help=True)


@webhooks_app.command()
def install(
    *,
    rotate: Annotated[bool, typer.Option("--rotate", help="Give every subscription a new secret.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Subscribe in every organisation that the technical account sees. What is right already is not touched."""
    from gateway.cli import webhooks as command

    raise typer.Exit(command.install(config, rotate=rotate, as_json=as_json))


@webhooks_app.command()
def status(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Show each subscription: whether it stands, what came last, and what was lost."""
    from gateway.cli import webhooks as command

    raise typer.Exit(command.status(config, as_json=as_json))


@webhooks_app.command(name="test")
def try_out(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Post a signed ping to each endpoint through the public address, and demand the gateway's own answer."""
    from gateway.cli import webhooks as command

    raise typer.Exit(command.try_out(config, as_json=as_json))
