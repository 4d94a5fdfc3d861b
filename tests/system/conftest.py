"""Calendar servers from Debian packages, one of each per test session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import shared_sandbox
from tests.servers.cyrus import CyrusServer
from tests.servers.davical import DavicalServer
from tests.servers.postgres import PostgresServer
from tests.servers.sogo import SogoServer

__all__ = ["shared_sandbox"]  # a fixture

AGENTS = {f"agent{number}": f"secret-{number}" for number in range(1, 25)}
USERS = {"alice": "secret-alice"} | AGENTS


@pytest.fixture(scope="session")
def sogo(postgres: PostgresServer) -> Iterator[SogoServer]:
    """A SOGo with the users of `USERS`. Each test makes calendars of its own in it."""
    with SogoServer(USERS, postgres) as server:
        yield server


@pytest.fixture(scope="session")
def davical(postgres: PostgresServer) -> Iterator[DavicalServer]:
    """A DAViCal with the users of `USERS`. Each test makes calendars of its own in it."""
    with DavicalServer(USERS, postgres) as server:
        yield server


@pytest.fixture(scope="session")
def cyrus() -> Iterator[CyrusServer]:
    """A Cyrus with the users of `USERS`. Each test makes calendars of its own in it."""
    with CyrusServer(USERS) as server:
        yield server
