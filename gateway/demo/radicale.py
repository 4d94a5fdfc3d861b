"""A real Radicale in a process of its own, on this machine only."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.cli.exits import Exit, UserError

_START_LIMIT = 20.0
_STOP_LIMIT = 5.0


class Radicale:
    """Serves what is under `directory` on loopback; a context manager. `users`: login -> password.

    `port` 0 takes a free one. Raises `UserError` when it does not come up; its own words are in `directory`.
    """

    def __init__(self, directory: Path, users: Mapping[str, str], *, port: int = 0) -> None:
        self._directory = directory
        self._log = directory / "radicale.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or _free_port()
        directory.mkdir(parents=True, exist_ok=True)
        passwords = "".join(f"{login}:{password}\n" for login, password in users.items())
        (directory / "htpasswd").write_text(passwords, encoding="utf-8")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            # In a session of its own: Ctrl-C is for the demo, which ends it after its last request.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self._command(), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait(self._process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "gateway.demo.radicale_child", "--config", ""),
            *("--server-hosts", f"127.0.0.1:{self.port}"),
            *("--auth-type", "htpasswd", "--auth-htpasswd-encryption", "plain"),
            *("--auth-htpasswd-filename", str(self._directory / "htpasswd")),
            *("--auth-delay", "0", "--rights-type", "owner_only"),
            *("--storage-filesystem-folder", str(self._directory / "collections")),
            *("--logging-level", "warning"),
        ]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise UserError(
            f"Radicale did not start on port {self.port}.",
            remedy=f"See {self._log}, or give another port with --caldav-port.",
            code=Exit.REMOTE,
        )

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
