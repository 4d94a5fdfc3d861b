"""The Radicale process of the demo: the server's own entry point, ended when the demo is gone, however it went.

Run as `python -m gateway.demo.radicale_child OPTIONS`. Standard input is a pipe that the demo holds open: its end
says that nobody is left to stop us.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("radicale", run_name="__main__", alter_sys=True)
