"""A process that runs the real program, again and again: `python -m tests.kill.program CONFIGURATION.json`.

For each line that it reads it forks one that runs `rdv-gateway sync`, or the command that is asked for; it answers with
how that ended, what it printed, and the boundaries that it crossed. Forking saves the second that starting Python and
importing costs. What may be asked for, all of it optional:

    {"kill_at": number of a boundary, "ahead": seconds that its clock is ahead, "command": ["status"],
     "busy_seconds": how long it waits for another writer, "largest_file": bytes}
"""

from __future__ import annotations

import json
import os
import resource
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import psycopg  # noqa: F401 - imported once, before any fork

from gateway.cli import runs, session
from gateway.cli.main import main as rdv_gateway
from gateway.composition import opened
from gateway.settings import Settings
from gateway.store import sqlite
from tests.kill.boundaries import Boundaries
from tests.scenarios.clock import LeapingClock


def _run(settings: Settings, asked: dict[str, Any], folder: Path) -> NoReturn:
    """The command as its users run it, but for where its configuration and its clock come from."""
    log = os.open(folder / "program.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    clock = LeapingClock()
    clock.sleep(asked.get("ahead", 0.0))
    session.load = lambda _config: settings
    session.opened = partial(opened, clock=clock)
    sqlite.BUSY_SECONDS = asked.get("busy_seconds", sqlite.BUSY_SECONDS)
    boundaries = Boundaries(asked.get("kill_at", 0))
    boundaries.install()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (asked.get("largest_file", limits[0]), limits[1]))
    status = 1
    try:
        rdv_gateway(asked.get("command", ["sync"]))
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        (folder / "crossed.json").write_text(json.dumps(boundaries.crossed))
        sys.stdout.flush()
        os._exit(status)


def main() -> None:
    path = Path(sys.argv[1])
    settings = Settings.model_validate(json.loads(path.read_text()))
    assert runs.__name__  # imported, before any fork
    for line in sys.stdin:
        (path.parent / "crossed.json").unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _run(settings, json.loads(line), path.parent)
        _, ended = os.waitpid(child, 0)
        crossed = path.parent / "crossed.json"
        answer: dict[str, Any] = {
            "killed": os.WIFSIGNALED(ended),
            "status": os.waitstatus_to_exitcode(ended),
            "said": (path.parent / "program.log").read_text(),
            "crossed": json.loads(crossed.read_text()) if crossed.exists() else [],
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
