"""A process that syncs until it is killed: `python -m tests.scenarios.killable CONFIGURATION.json`.

For each line that it reads it forks one that opens the gateway and syncs without end, prints that one's process id,
and prints "ended" when somebody killed it. Forking saves the second that starting Python and importing costs.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path

from gateway.composition import opened
from gateway.settings import Settings


def _sync_without_end(settings: Settings) -> None:
    with opened(settings) as application:
        while True:
            application.engine.run()


def _ended(child: int) -> bool:
    """Wait until somebody killed it. False when nobody is left who would: an aborted test run leaves nothing behind."""
    hung_up = select.poll()
    hung_up.register(sys.stdin, 0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if hung_up.poll(10):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
    return True


def main() -> None:
    settings = Settings.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _sync_without_end(settings)
        print(child, flush=True)
        if not _ended(child):
            return
        print("ended", flush=True)


if __name__ == "__main__":
    main()
