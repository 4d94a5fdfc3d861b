"""`sandbox`: a double of RDV-Solidarités on this machine, until Ctrl-C."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

from gateway.cli.exits import Exit
from gateway.cli.output import print_json, results
from gateway.cli.signals import until_interrupted
from gateway.sandbox.seed import ACCOUNT, PASSWORD, seed_departement
from gateway.sandbox.server import Sandbox


def run(*, directory: Path, port: int, as_json: bool) -> Exit:
    """Serve. What was done stays in `directory` for the next time."""
    directory.mkdir(parents=True, exist_ok=True)
    today = date.today()  # noqa: DTZ011 - the day on this machine's wall
    seed = partial(seed_departement, today=today)
    with (
        until_interrupted() as interrupted,
        Sandbox(state=directory / "sandbox.sqlite3", port=port, seed=seed) as double,
    ):
        if as_json:
            print_json({"url": double.url, "login": ACCOUNT, "password": PASSWORD})
        else:
            console = results()
            console.print(f"A double of RDV-Solidarités, for trying and testing: {double.url}/")
            console.print(f"Technical account: {ACCOUNT}, password: {PASSWORD}")
            console.print("Its state is kept. Ctrl-C ends it.")
        interrupted.wait()
    return Exit.FINE
