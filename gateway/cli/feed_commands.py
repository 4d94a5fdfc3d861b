# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line of feeds: names, options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config, Json

feeds_app = typer.Typer(help="iCal feeds: links that people subscribe to.", no_args_is_help=True)

PurposeName = Literal["usager", "agent", "lieu", "organisation"]
LanguageName = Literal["fr", "en"]
LevelName = Literal["times", "neutral", "place", "full"]

Of = Annotated[PurposeName, typer.Option("--for", help="For whom or what.")]
LevelOption = Annotated[
    LevelName | None, typer.Option("--level", help="How much it shows; by default neutral, or times only.")
]
LanguageOption = Annotated[LanguageName, typer.Option("--language", help="Of the feed, its page and its texts.")]
Organisation = Annotated[
    int | None, typer.Option("--organisation", metavar="ID", help="Whose phone number the page shows.")
]
LinkId = Annotated[int, typer.Argument(metavar="LINK", help="The link's number; `feeds list` shows it.")]
Qr = Annotated[Path | None, typer.Option("--qr", metavar="FILE", help="Write a QR code of its page: .svg or .png.")]


@feeds_app.command()
def create(
    *,
    purpose: Of,
    subject: Annotated[int, typer.Option("--id", metavar="ID", help="The usager's, agent's, lieu's … id.")],
    level: LevelOption = None,
    language: LanguageOption = "fr",
    organisation: Organisation = None,
    qr: Qr = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Make a link, shown this once, with a ready SMS and letter."""
    from gateway.cli import feeds as command

    chosen = command.Choice.named(purpose, level, language, organisation)
    raise typer.Exit(command.create(config, chosen, subject, qr, as_json=as_json))


@feeds_app.command()
def bulk(
    *,
    purpose: Of,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="A column `id`; if wanted `level`, `language`, `organisation`.")
    ],
    output: Annotated[Path, typer.Option("--output", metavar="FILE.csv", help="A new file: it will hold the links.")],
    level: LevelOption = None,
    language: LanguageOption = "fr",
    organisation: Organisation = None,
    again: Annotated[bool, typer.Option("--again", help="Also for those who have an open link.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Make a link for each line, for a mail merge: links, SMS and letters are written to a new file."""
    from gateway.cli import feeds_bulk as command
    from gateway.cli.feeds import Choice

    chosen = Choice.named(purpose, level, language, organisation)
    raise typer.Exit(command.run(config, chosen, file, output, again=again, as_json=as_json))


@feeds_app.command(name="list")
def list_(
    *,
    purpose: Annotated[PurposeName | None, typer.Option("--for", help="Only those for this.")] = None,
    subject: Annotated[int | None, typer.Option("--id", metavar="ID", help="Only those of this id.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """List links: for what, until when, and whether programs read them. Usagers are not named."""
    from gateway.cli import feeds as command

    raise typer.Exit(command.list_(config, command.purpose_of(purpose), subject, as_json=as_json))


@feeds_app.command()
def revoke(
    *,
    links: Annotated[list[int] | None, typer.Argument(metavar="LINK", help="The links' numbers.")] = None,
    purpose: Annotated[PurposeName | None, typer.Option("--for", help="With --id: all links of one.")] = None,
    subject: Annotated[int | None, typer.Option("--id", metavar="ID", help="The usager's, agent's … id.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Close links at once: programs are given an empty calendar for a while, then nothing."""
    from gateway.cli import feeds as command

    raise typer.Exit(command.revoke(config, links or [], command.purpose_of(purpose), subject, as_json=as_json))


@feeds_app.command()
def rotate(*, link: LinkId, qr: Qr = None, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Make a new address for a link; the former one works until the grace is over."""
    from gateway.cli import feeds as command

    raise typer.Exit(command.rotate(config, link, qr, as_json=as_json))
