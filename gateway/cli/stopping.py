"""`stop` and `resume`: all writes held back, by whoever asks for it, until somebody lets them go on."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.choosing import Whom
from gateway.cli.describe import stop_json
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import moment, print_json, results
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.journal.decisions import decided
from gateway.sync.values import Stop


def stop(config: Path, *, reason: str, as_json: bool) -> Exit:
    """Stop all writes. A running sync obeys before its next one."""
    given = Stop(SystemClock().now(), getpass.getuser(), reason)
    with local(config) as (_settings, store), store.transaction() as tx:
        before = tx.stop()
        tx.set_stop(given)
        tx.journal(decided("stop", "writes", "all", at=given.at, by=given.by))
    if as_json:
        print_json({"stopped": stop_json(given), "was_stopped": before is not None})
    else:
        again = " It was already." if before is not None else ""
        results().print(
            f"Nothing more is written to either side.{again} `rdv-gateway resume --writes` lets writes go on."
        )
    return Exit.FINE


def resume(config: Path, whom: Whom, *, as_json: bool) -> Exit:
    """Let writes go on, from the next run. Nobody does so by forgetting to name agents: `whom` must be empty."""
    if whom != Whom(agents=(), wave=None, every=False):
        raise UserError(
            "--writes lifts the stop of all writes: it goes with no agent.",
            remedy="Give --writes alone, or name agents alone.",
        )
    lifted = Stop(SystemClock().now(), getpass.getuser())
    with local(config) as (_settings, store), store.transaction() as tx:
        before = tx.stop()
        if tx.lift_stop():
            tx.journal(decided("resume", "writes", "all", at=lifted.at, by=lifted.by))
    if as_json:
        print_json({"stopped": None, "was_stopped": before is not None})
    else:
        results().print("Writes go on." if before else "Nothing was stopped.")
    return Exit.FINE


def stop_lines(given: Stop | None) -> Iterator[str]:
    """A stop for people, not to be overlooked."""
    if given is not None:
        why = f": {given.reason}" if given.reason else ""
        yield f"STOPPED by {given.by} since {moment(given.at)}{why}. Nothing is written to either side."
        yield "-> it: Let writes go on with `rdv-gateway resume --writes` when the reason is gone."
