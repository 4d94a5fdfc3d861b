"""`pause` and `resume`: stop the sync of agents and let it go on. What was written stays."""

from __future__ import annotations

import getpass
from pathlib import Path

from gateway.agents.life import set_paused
from gateway.cli.choosing import Whom, ids
from gateway.cli.exits import Exit
from gateway.cli.output import print_json, results
from gateway.cli.session import local
from gateway.clock import SystemClock


def run(config: Path, whom: Whom, *, paused: bool, as_json: bool) -> Exit:
    """Say who was paused or resumed, and who was not since they were so already, or have left."""
    with local(config) as (_settings, store):
        chosen = whom.chosen(store)
        changed = set_paused(store, chosen, paused=paused, at=SystemClock().now(), by=getpass.getuser())
    done = ids(changed)
    as_before = [number for number in ids(chosen) if number not in done]
    if as_json:
        print_json({"paused" if paused else "resumed": done, "as_before": as_before})
    else:
        what = "paused: nothing is read or written for them" if paused else "resumed: the next sync works on them"
        results().print(f"{len(done)} {what}." + (f" {len(as_before)} stay as they were." if as_before else ""))
    return Exit.FINE
