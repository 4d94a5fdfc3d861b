"""`serve`: the service, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from gateway.cli.exits import Exit
from gateway.cli.output import print_json, results
from gateway.scheduling.serve import Process
from gateway.settings import Settings


def run(config: Path, *, as_json: bool) -> Exit:
    """Serve. Ends the process itself when it is told to: a thread that waits for a server must not hold that up."""

    def started(settings: Settings) -> None:
        web = settings.web
        if as_json:
            print_json({"public": web.public_bind, "internal": web.internal_bind})
        else:
            results().print(f"Serving: public on {web.public_bind}, internal on {web.internal_bind}. Ctrl-C ends it.")
        sys.stdout.flush()

    Process(config).run(started=started)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Exit.FINE)
