"""A process that syncs until it is killed: `python -m tests.scenarios.killable CONFIGURATION.json`.

For each line that it reads it forks one that opens the gateway and syncs without end, prints that one's process id,
and prints "ended" when somebody killed it. Forking saves the second that starting Python and importing costs.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from gateway.composition import opened
from gateway.settings import Settings


def _sync_without_end(settings: Settings, parent: int) -> None:
    with opened(settings) as application:
        while os.getppid() == parent:  # an aborted test run leaves nobody behind
            application.engine.run()


def main() -> None:
    settings = Settings.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    parent = os.getpid()
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _sync_without_end(settings, parent)
            return
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
