"""A real Xandikos in a process of its own for tests.

It refuses passwords without TLS, so that it stands behind a proxy that checks them and names the user to it: the
way that its manual asks for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers.counting_proxy import CountingProxy
from tests.servers.process import ServerProcess


class XandikosServer:
    """Xandikos on loopback, several users. `storage`: a folder that outlives stop and start."""

    name = "xandikos"

    def __init__(self, users: Mapping[str, str], storage: Path) -> None:
        self.users = dict(users)
        self._storage = storage
        storage.mkdir(parents=True, exist_ok=True)
        self._process = ServerProcess(self._command, storage / "xandikos.log")
        self._door: CountingProxy | None = None

    @property
    def url(self) -> str:
        """Where it answers; a new port after each start."""
        assert self._door is not None, "not started"
        return self._door.url

    def home(self, user: str) -> str:
        """The path of a user's calendar home."""
        return f"/{user}/calendars/"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process.start()
        self._door = CountingProxy(f"http://127.0.0.1:{self._process.port}/", users=self.users)
        self._door.start()

    def stop(self) -> None:
        """End it; the storage stays."""
        if self._door is not None:
            self._door.stop()
            self._door = None
        self._process.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self, port: int) -> list[str]:
        return [
            *(sys.executable, "-m", "xandikos", "multi-user", "--no-detect-systemd"),
            *("--listen-address", "127.0.0.1", "--port", str(port)),
            *("--directory", str(self._storage / "users")),
            *("--state-dir", str(self._storage / "state")),
            *("--trust-x-remote-user-from", "127.0.0.1"),
        ]
