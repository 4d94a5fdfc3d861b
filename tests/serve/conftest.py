"""One Radicale and one double for all tests of serving."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.sandbox.server import Sandbox
from tests.scenarios.database import SqliteDatabase
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person
from tests.scenarios.small_departement import seed
from tests.servers.counting_proxy import CountingProxy
from tests.servers.radicale import RadicaleServer

_USERS = {f"agent{number}": f"secret-{number}" for number in range(1, 30)}


@pytest.fixture(scope="session")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadicaleServer]:
    with RadicaleServer(_USERS, tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=seed) as running:
        yield running


@pytest.fixture(scope="session")
def logins() -> Iterator[str]:
    return itertools.cycle(_USERS)


@pytest.fixture
def departement(
    radicale: RadicaleServer, sandbox: Sandbox, logins: Iterator[str], tmp_path: Path
) -> Iterator[Departement]:
    """A département of today, without agents."""
    sandbox.state.reset()
    sandbox.faults.clear()
    sandbox.requests.reset()
    with CountingProxy(radicale.url) as door:
        made = Departement(
            tmp_path,
            server=radicale,
            door=door,
            sandbox=sandbox,
            database=SqliteDatabase(tmp_path),
            clock=SystemClock(),
            logins=logins,
        )
        yield made
        made.close()


@pytest.fixture
def agent(departement: Departement) -> Person:
    """One live agent with an empty calendar, whose service is not started yet."""
    person = departement.agent()
    goes_live(departement)
    return person


def goes_live(departement: Departement) -> None:
    for step in ("sync", "approve", "sync"):
        departement.approves() if step == "approve" else departement.application.engine.run()
    departement.stop()
