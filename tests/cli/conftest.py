"""A deployment of its own for each test: the sandbox, an agent's calendar on a real Radicale, and our files."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.cli.main import main
from gateway.demo.agendas import PARIS, agendas
from gateway.demo.calendars import fill
from gateway.demo.radicale import Radicale
from gateway.sandbox.seed import ACCOUNT, PASSWORD, seed_departement
from gateway.sandbox.server import Sandbox

MARTINE = 2  # the sandbox's first agent after the technical account
CALENDAR_PASSWORD = "calendar-password"

_USERS = [f"agent{number}" for number in range(1000)]
_next = count()


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON document and nothing else."""
        return json.loads(self.out)


class Cli:
    """The command line in this process."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = config
        self._capsys = capsys

    def run(self, *arguments: str) -> Answer:
        """One command as typed."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = self._capsys.readouterr()
        code = ended.value.code
        return Answer(0 if code is None else int(code), captured.out, captured.err)

    def __call__(self, *arguments: str) -> Answer:
        """One command on the deployment."""
        return self.run(*arguments, "--config", str(self.config))


@dataclass(frozen=True)
class Deployment:
    """`calendar`: the path of Martine's calendar, filled with the demo's sample."""

    cli: Cli
    double: Sandbox
    calendars_url: str
    username: str
    calendar: str

    def enrolled(self) -> Cli:
        """With Martine enrolled."""
        assert self.cli("enroll", str(MARTINE), "--account", "agenda").code == 0
        return self.cli

    def live(self) -> Cli:
        """With Martine's first plan approved and done."""
        cli = self.enrolled()
        cli("plan")
        assert cli("approve", "--all", "--yes").code == 0
        assert cli("sync").code == 0
        return cli


@pytest.fixture(scope="session")
def calendar_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    """One Radicale for all tests of this directory; each test has a user of its own."""
    directory = tmp_path_factory.mktemp("radicale")
    with Radicale(directory, dict.fromkeys(_USERS, CALENDAR_PASSWORD)) as server:
        yield server


@pytest.fixture(scope="session")
def double() -> Iterator[Sandbox]:
    """One sandbox for all tests of this directory; each test begins with its first data."""
    today = datetime.now(PARIS).date()
    with Sandbox(seed=lambda state: seed_departement(state, today)) as running:
        yield running


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Each command sets up the logging of its process, which here is everybody's."""
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, level = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line with a configuration that does not exist yet."""
    return Cli(tmp_path / "rdv-gateway.toml", capsys)


@pytest.fixture
def deployment(cli: Cli, calendar_server: Radicale, double: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A deployment made by `init`, with both sides running and nobody enrolled."""
    monkeypatch.setenv("RDV_SOLIDARITES_PASSWORD", PASSWORD)
    monkeypatch.setenv("AGENDA_PASSWORD", CALENDAR_PASSWORD)
    username = _USERS[next(_next)]
    home = f"{calendar_server.url}{username}/"
    fill(home, username, CALENDAR_PASSWORD, agendas(datetime.now(PARIS).date())["martine"])
    double.state.reset()
    double.requests.reset()
    made = cli(
        *("init", "--url", double.url, "--login", ACCOUNT, "--account", "agenda"),
        *("--account-url", home, "--username", username),
    )
    assert made.code == 0, made.err
    quick = cli.config.read_text().replace("[rdv_solidarites]", "[rdv_solidarites]\nrequests_per_second = 500.0")
    cli.config.write_text(quick)
    return Deployment(cli, double, calendar_server.url, username, f"/{username}/agenda/")
