"""`db upgrade`: the database's schema, brought to this version."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.exits import Exit
from gateway.cli.output import print_json, results
from gateway.composition import database_url
from gateway.settings import load
from gateway.store.database import sync_lock, upgrade


def run(config: Path, *, as_json: bool) -> Exit:
    """Upgrade while nobody syncs."""
    settings = load(config)
    url, shown = database_url(settings), str(settings.gateway.database)
    with sync_lock(url):
        upgrade(url)
    if as_json:
        print_json({"database": shown, "current": True})
    else:
        results().print(f"{shown} is up to date.")
    return Exit.FINE
