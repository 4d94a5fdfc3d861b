"""Start a server program on a free port of this machine, wait until it answers, stop it for sure."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_ATTEMPTS = 3
_START_LIMIT = 30.0
_STOP_LIMIT = 10.0


class ServerDidNotStart(RuntimeError):
    """The program ended, or did not listen in time; its own words are in the message."""


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class ServerProcess:
    """One server program. `command(port)` says how to start it; `log` receives all that it prints.

    `end`: the signal that ends it.
    """

    def __init__(
        self, command: Callable[[int], Sequence[str]], log: Path, *, end: signal.Signals = signal.SIGTERM
    ) -> None:
        self._command = command
        self._log = log
        self._end = end
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it and wait until it listens. Another port is tried when somebody took ours in between."""
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = free_port()
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(self.port), stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            if self._listens():
                return
            self.stop()
            if attempt == _ATTEMPTS:
                raise ServerDidNotStart(self._log.read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """End it; by force when it does not go by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(self._end)
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _listens(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
                    return True
            except OSError:
                time.sleep(0.02)
        return False
