"""The real program, as `rdv-gateway serve` runs it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tests.scenarios.departement import Departement

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-W", "error", "-c", "from gateway.cli.main import main; main()"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def write_configuration(path: Path, document: Mapping[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text("".join(f"{name} = {toml(value)}\n" for name, value in document.items()), encoding="utf-8")
    draft.replace(path)


def eventually(look: Callable[[], Any], *, seconds: float = 15.0, what: str = "") -> Any:
    """What `look` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or look}"
        time.sleep(0.05)
    return found


class Service:
    """A département's gateway serving; fast, so that a test waits for seconds. A context manager."""

    def __init__(self, departement: Departement, **schedule: Any) -> None:
        self._departement = departement
        departement.stop()
        self.config = departement.directory / "rdv-gateway.toml"
        self.log = departement.directory / "serve.log"
        self.ports = free_port(), free_port()
        self.schedule = {"fast_seconds": 1, "usual_seconds": 1, "quiet_seconds": 1, "rdvs_seconds": 1} | schedule
        self.configure()
        self._process: subprocess.Popen[str] | None = None

    def configure(self, **sections: Any) -> None:
        """Write the file, with some sections in place of the usual ones."""
        web = {"public_bind": f"127.0.0.1:{self.ports[0]}", "internal_bind": f"127.0.0.1:{self.ports[1]}"}
        document = self._departement.configuration() | {"web": web, "schedule": self.schedule} | sections
        write_configuration(self.config, document)

    def start(self) -> None:
        """Returns when it serves."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, "--log-level", "info", "serve", "--config", str(self.config), "--json"],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, self.log.read_text()

    def gets(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ends(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Its exit code after a signal, and the seconds that it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(number)
        try:
            code = self._process.wait(20)
        finally:
            self._process.kill()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
        return code, time.monotonic() - began

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Another command on the same configuration: its exit code and its JSON."""
        done = subprocess.run(
            [*PROGRAM, *words, "--config", str(self.config), "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.ends()
