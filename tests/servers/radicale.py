"""A real Radicale in a process of its own, with plain passwords, for tests."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers.process import ServerProcess


class RadicaleServer:
    """Radicale on loopback. `users`: login -> password; `storage`: a folder that outlives stop and start.

    `rights`: who may reach what; `authenticated` lets everybody reach everything, as a service account has to.
    """

    name = "radicale"

    def __init__(self, users: Mapping[str, str], storage: Path, *, rights: str = "owner_only") -> None:
        self.users = dict(users)
        self._storage = storage
        self._rights = rights
        storage.mkdir(parents=True, exist_ok=True)
        self._passwords = storage / "htpasswd"
        self._passwords.write_text("".join(f"{user}:{password}\n" for user, password in users.items()))
        self._process = ServerProcess(self._command, storage / "radicale.log")

    @property
    def url(self) -> str:
        """Where it answers; a new port after each start."""
        return f"http://127.0.0.1:{self._process.port}/"

    def home(self, user: str) -> str:
        """The path of a user's calendar home."""
        return f"/{user}/"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process.start()

    def stop(self) -> None:
        """End it; the storage stays."""
        self._process.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self, port: int) -> list[str]:
        return [
            *(sys.executable, "-m", "radicale", "--config", ""),
            *("--server-hosts", f"127.0.0.1:{port}"),
            *("--auth-type", "htpasswd", "--auth-htpasswd-encryption", "plain"),
            *("--auth-htpasswd-filename", str(self._passwords)),
            *("--auth-delay", "0"),  # the pause after a wrong password is of no use to a test
            *("--rights-type", self._rights),
            *("--storage-filesystem-folder", str(self._storage / "collections")),
            *("--logging-level", "error"),
        ]
