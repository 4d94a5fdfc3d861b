"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Option("--config", envvar="RDV_GATEWAY_CONFIG", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Agents = Annotated[list[int] | None, typer.Option("--agent", metavar="ID", help="Only this agent; may be repeated.")]
AgentIds = Annotated[list[int] | None, typer.Argument(metavar="AGENT", help="Agents' ids.")]
Everybody = Annotated[bool, typer.Option("--all", help="Everybody, in place of ids.")]
Wave = Annotated[int | None, typer.Option("--wave", metavar="N", min=1, help="Everybody in this wave.")]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="The file to make: JSON if it ends in .json, else CSV.")
]

DEFAULT_CONFIG = Path("rdv-gateway.toml")
