# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line of the journal: names, options and help of `journal …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config, Json

journal_app = typer.Typer(help="What was written, seen and decided; and proof of it.", invoke_without_command=True)

OneAgent = Annotated[int | None, typer.Option("--agent", metavar="ID", help="Only this agent.")]
Run = Annotated[str | None, typer.Option("--run", help="Only this run.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="From this day or time on, in UTC.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this day or time, in UTC.")]
Object = Annotated[str | None, typer.Option("--object", help="Only this kind (rdv_copy) or this one thing ('rdv 12').")]
Content = Annotated[
    bool, typer.Option("--content", help="Also what was there before: personal, for your eyes and no ticket.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without it, only say what would be.")]


@journal_app.callback()
def journal(
    context: typer.Context,
    *,
    agent: OneAgent = None,
    run: Run = None,
    since: Since = None,
    until: Until = None,
    only: Object = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many entries.")] = 50,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """List the newest entries of the journal: every remote write, every observed change, every decision."""
    if context.invoked_subcommand is not None:
        return
    from gateway.cli import journal as command

    chosen = command.Choice(agent=agent, run=run, since=since, until=until, object=only)
    raise typer.Exit(command.run(config, chosen, limit=limit, as_json=as_json))


@journal_app.command()
def show(
    *,
    entry: Annotated[int, typer.Argument(metavar="ENTRY", help="The entry's number.")],
    content: Content = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show all of one entry."""
    from gateway.cli import journal as command

    raise typer.Exit(command.show(config, entry, content=content, as_json=as_json))


@journal_app.command()
def export(
    *,
    form: Annotated[
        Literal["jsonl", "csv"], typer.Option("--format", help="One JSON object a line, or CSV.")
    ] = "jsonl",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="A new file (mode 0600); else stdout.")
    ] = None,
    agent: OneAgent = None,
    run: Run = None,
    since: Since = None,
    until: Until = None,
    only: Object = None,
    content: Content = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Write entries elsewhere, oldest first, with all their columns."""
    from gateway.cli import journal as choosing
    from gateway.cli import journal_export as command

    chosen = choosing.Choice(agent=agent, run=run, since=since, until=until, object=only)
    raise typer.Exit(command.run(config, chosen, form, to, content=content, as_json=as_json))


@journal_app.command()
def checkpoint(
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Add it to this file, one line each; else stdout.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Seal the journal as it is: a signed line, to be kept elsewhere."""
    from gateway.cli import journal_seals as command

    raise typer.Exit(command.checkpoint(config, to, as_json=as_json))


@journal_app.command()
def verify(
    *,
    file: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", metavar="FILE", help="Checkpoints that were exported; may be repeated."),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", metavar="FILE", help="Whose signatures count, as it was kept elsewhere."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Look for any entry that was removed, altered, reordered or inserted. Leaves with 1 if there is one."""
    from gateway.cli import journal_seals as command

    raise typer.Exit(command.verify(config, tuple(file or ()), public_key, as_json=as_json))


@journal_app.command("public-key")
def public_key(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Print the key that checkpoints are verified with, to be kept elsewhere."""
    from gateway.cli import journal_seals as command

    raise typer.Exit(command.public_key(config, as_json=as_json))


@journal_app.command()
def purge(*, yes: Yes = False, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Remove what is older than `[journal]` keeps. The chains stay whole."""
    from gateway.cli import journal_removals as command

    raise typer.Exit(command.purge(config, yes=yes, as_json=as_json))


@journal_app.command()
def erase(
    *,
    agent: Annotated[int, typer.Argument(metavar="AGENT", help="The id of an agent who has left.")],
    yes: Yes = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Destroy an agent's key, and remove what it encrypted: gone from copies of the database too."""
    from gateway.cli import journal_removals as command

    raise typer.Exit(command.erase(config, agent, yes=yes, as_json=as_json))
