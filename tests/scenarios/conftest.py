"""The servers of the scenarios, one of each per test process, and a new département on them for every test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from connectors.ports import Clock
from gateway.clock import SystemClock
from gateway.sandbox.server import Sandbox
from tests.scenarios.choices import settings
from tests.scenarios.clock import ScenarioClock
from tests.scenarios.database import PostgresDatabase, ScenarioDatabase, SqliteDatabase
from tests.scenarios.departement import CalendarServer, Departement
from tests.scenarios.person import Person
from tests.scenarios.small_departement import seed
from tests.servers.counting_proxy import CountingProxy
from tests.servers.radicale import RadicaleServer
from tests.servers.traits import READING, WRITING
from tests.servers.xandikos import XandikosServer

_USERS = {f"agent{number}": f"secret-{number}" for number in range(1, 1000)}
_KINDS: dict[str, type[RadicaleServer | XandikosServer]] = {
    "radicale": RadicaleServer,
    "xandikos": XandikosServer,
}

Servers = Callable[[str], CalendarServer]
New = Callable[[Clock], Departement]


class SharedSandbox:
    """One double for all tests of a process, since stopping one takes a while; its clock is the test's."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self.sandbox = Sandbox(seed=seed, clock=self._now)

    def _now(self) -> datetime:
        return self.clock.now()

    def as_on_the_first_day(self, clock: Clock) -> Sandbox:
        self.clock = clock
        self.sandbox.state.reset()
        self.sandbox.faults.clear()
        self.sandbox.requests.reset()
        return self.sandbox


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SharedSandbox]:
    shared = SharedSandbox()
    with shared.sandbox:
        yield shared


@pytest.fixture(scope="session")
def calendar_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Each server is started when first asked for."""
    running: dict[str, CalendarServer] = {}
    with ExitStack() as stack:

        def server(name: str) -> CalendarServer:
            if name not in running:
                made: RadicaleServer | XandikosServer = _KINDS[name](_USERS, tmp_path_factory.mktemp(name))
                stack.enter_context(made)
                running[name] = made
            return running[name]

        yield server


@pytest.fixture(scope="session")
def logins() -> Iterator[str]:
    """Every agent of every test has an account of their own."""
    return itertools.cycle(_USERS)


@pytest.fixture(params=settings())
def new_departement(
    request: pytest.FixtureRequest,
    calendar_servers: Servers,
    shared_sandbox: SharedSandbox,
    logins: Iterator[str],
    tmp_path: Path,
) -> Iterator[New]:
    """Makes the test's département, on a clock of its choice."""
    calendars, kind, *traits = request.param.split("-", 2)
    server = calendar_servers(calendars)
    with ExitStack() as stack:

        def new(clock: Clock) -> Departement:
            makers = READING | WRITING
            door = stack.enter_context(CountingProxy(server.url, traits=[makers[each]() for each in traits]))
            sandbox = shared_sandbox.as_on_the_first_day(clock)
            database = _new_database(kind, request, tmp_path)
            made = Departement(
                tmp_path, server=server, door=door, sandbox=sandbox, database=database, clock=clock, logins=logins
            )
            stack.callback(made.close)
            return made

        yield new


def _new_database(kind: str, request: pytest.FixtureRequest, directory: Path) -> ScenarioDatabase:
    """The server is started only where it is used."""
    if kind == "sqlite":
        return SqliteDatabase(directory)
    return PostgresDatabase(request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template"))


@pytest.fixture
def departement(new_departement: New) -> Departement:
    """A département without agents, whose clock moves only when told."""
    return new_departement(ScenarioClock())


@pytest.fixture
def agent(departement: Departement) -> Person:
    """One agent of Nord, PMI, with an empty calendar, live."""
    person = departement.agent()
    departement.goes_live()
    return person
