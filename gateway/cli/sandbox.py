"""`sandbox`: a double of RDV-Solidarités on this machine, until Ctrl-C."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import print_json, results
from gateway.cli.signals import until_interrupted
from gateway.sandbox.seed import ACCOUNT, PASSWORD, seed_departement
from gateway.sandbox.server import Sandbox


def run(*, directory: Path, port: int, as_json: bool) -> Exit:
    """Serve. What was done stays in `directory` for the next time."""
    directory.mkdir(parents=True, exist_ok=True)
    with until_interrupted() as interrupted, sandbox_on(port, directory / "sandbox.sqlite3") as double:
        if as_json:
            print_json({"url": double.url, "login": ACCOUNT, "password": PASSWORD})
        else:
            console = results()
            console.print(f"A double of RDV-Solidarités, for trying and testing: {double.url}/")
            console.print(f"Technical account: {ACCOUNT}, password: {PASSWORD}")
            console.print("Its state is kept. Ctrl-C ends it.")
        interrupted.wait()
    return Exit.FINE


def sandbox_on(port: int, state: Path) -> Sandbox:
    """The double with its sample data, not started yet. Raises `UserError` when the port is taken."""
    try:
        return Sandbox(state=state, port=port, seed=partial(seed_departement, today=today()))
    except OSError as error:
        raise UserError(
            f"Port {port} cannot be had: {error.strerror}.", remedy="Give another with --port; 0 takes a free one."
        ) from None


def today() -> date:
    """The day in Paris, which is RDV-Solidarités' own zone: sample data of both sides begin with its week."""
    return datetime.now(ZoneInfo("Europe/Paris")).date()
