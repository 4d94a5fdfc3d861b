"""The Radicale process of the demo: the server's own entry point, ended when the demo is gone, however it went.

Run as `python -m gateway.demo.radicale_child OPTIONS`. Standard input is a pipe that the demo holds open: its end
says that nobody is left to stop us.
"""

from __future__ import annotations

import os
import runpy
import signal
import threading

_STDIN = 0


def _end_with_parent() -> None:
    # Unbuffered: a lock of a buffered stream, held by this thread, would break the interpreter's exit.
    while os.read(_STDIN, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("radicale", run_name="__main__", alter_sys=True)
