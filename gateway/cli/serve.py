"""`serve`: the service, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from gateway import logs
from gateway.cli.exits import Exit
from gateway.cli.output import print_json, results
from gateway.scheduling.serve import Process
from gateway.settings import Settings
from gateway.settings_logs import LogsSection


def run(config: Path, *, log_level: str | None, log_json: bool, as_json: bool) -> Exit:
    """Serve. Ends the process itself when it is told to: a thread that waits for a server must not hold that up.

    `log_level`, `log_json`: of the command line; None and False: as the configuration says.
    """

    def started(settings: Settings) -> None:
        web = settings.web
        if as_json:
            print_json({"public": web.public_bind, "internal": web.internal_bind})
        else:
            results().print(f"Serving: public on {web.public_bind}, internal on {web.internal_bind}. Ctrl-C ends it.")
        sys.stdout.flush()

    def log(section: LogsSection) -> None:
        logs.configure(log_level or section.level, json=log_json or section.format == "json")

    Process(config, log=log).run(started=started)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Exit.FINE)
