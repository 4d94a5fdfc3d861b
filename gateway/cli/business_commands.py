# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line of business applications: names, options and help."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.api.values import Scope
from gateway.cli.options import DEFAULT_CONFIG, Config, Json

tokens_app = typer.Typer(help="Who may read the API.", no_args_is_help=True)


@tokens_app.command(name="create")
def create(
    *,
    name: Annotated[str, typer.Option("--name", help="Which application it is for.")],
    scope: Annotated[list[Scope], typer.Option("--scope", help="What it may read; may be repeated.")],
    agent: Annotated[list[int] | None, typer.Option("--agent", metavar="ID", help="Only about this agent.")] = None,
    organisation: Annotated[
        list[int] | None, typer.Option("--organisation", metavar="ID", help="Only about the agents of this one.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=730, help="After so many days it expires.")] = 365,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Make a token for an application. It is shown once and kept nowhere."""
    from gateway.cli import tokens as command

    wish = command.Wish(name, frozenset(scope), frozenset(agent or ()), frozenset(organisation or ()), days)
    raise typer.Exit(command.create(config, wish, as_json=as_json))


@tokens_app.command(name="list")
def list_(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List all tokens, what they may read, and when each was used last."""
    from gateway.cli import tokens as command

    raise typer.Exit(command.list_(config, as_json=as_json))


@tokens_app.command(name="revoke")
def revoke(
    *,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `tokens list` shows it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """End a token: from the next request on it opens nothing."""
    from gateway.cli import tokens as command

    raise typer.Exit(command.revoke(config, token, as_json=as_json))


business_app = typer.Typer(help="Webhooks to business applications.", invoke_without_command=True)


@business_app.callback()
def business(context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Say how far each business webhook is: what waits, since when it fails, what was given up."""
    if context.invoked_subcommand is not None:
        return
    from gateway.cli import business as command

    raise typer.Exit(command.run(config, as_json=as_json))


@business_app.command(name="test")
def try_out(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which webhook, as the configuration names it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Send an event that says nothing to one webhook, now, and say what it answered."""
    from gateway.cli import business as command

    raise typer.Exit(command.try_out(config, name, as_json=as_json))
