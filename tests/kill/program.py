"""A process that runs the real program, again and again: `python -m tests.kill.program CONFIGURATION.json`.

For each line that it reads, `{"kill_at": number of a boundary or 0, "ahead": seconds}`, it forks one that runs
`rdv-gateway sync` with its clock so far ahead; it answers with how that ended and with the boundaries that it crossed.
Forking saves the second that starting Python and importing costs.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

import psycopg  # noqa: F401 - imported once, before any fork

from gateway.cli import runs, session
from gateway.cli.main import app
from gateway.composition import opened
from gateway.settings import Settings
from tests.kill.boundaries import Boundaries
from tests.scenarios.clock import LeapingClock


def _sync(settings: Settings, asked: dict[str, float], folder: Path) -> NoReturn:
    """The command as its users run it, but for where its configuration and its clock come from."""
    log = os.open(folder / "program.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    clock = LeapingClock()
    clock.sleep(asked["ahead"])
    session.load = lambda _config: settings
    session.opened = partial(opened, clock=clock)
    boundaries = Boundaries(int(asked["kill_at"]))
    boundaries.install()
    status = 1
    try:
        app(["sync"], standalone_mode=False)
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
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
            _sync(settings, json.loads(line), path.parent)
        _, ended = os.waitpid(child, 0)
        crossed = path.parent / "crossed.json"
        answer = {
            "killed": os.WIFSIGNALED(ended),
            "status": os.waitstatus_to_exitcode(ended),
            "crossed": json.loads(crossed.read_text()) if crossed.exists() else [],
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
