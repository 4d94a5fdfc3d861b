"""Servers that many tests share, one of each per test session, and how Hypothesis runs here."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from gateway.logs import LIBRARIES
from tests.servers.postgres import (
    database_url,
    empty_postgres_url,
    postgres,
    postgres_template,
    postgres_url,
    sqlite_template,
)
from tests.servers.radicale import RadicaleServer
from tests.servers.xandikos import XandikosServer

__all__ = [  # fixtures of every test
    "database_url",
    "empty_postgres_url",
    "postgres",
    "postgres_template",
    "postgres_url",
    "sqlite_template",
]

# The same examples at every run: a failure can be repeated, and a machine under load is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

USERS = {"alice": "secret-alice", "bob": "secret-bob"}


@pytest.fixture(scope="session", autouse=True)
def logging_levels() -> dict[str, int]:
    """Of the libraries, before any test: as our own modules set them."""
    return {name: logging.getLogger(name).level for name in ("", *LIBRARIES)}


@pytest.fixture(autouse=True)
def logging_as_before(logging_levels: dict[str, int]) -> Iterator[None]:
    """A command that runs in this process sets up its logging; the next test begins without."""
    root = logging.getLogger()
    handlers = root.handlers
    yield
    root.handlers = handlers
    for name, level in logging_levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="session")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadicaleServer]:
    """A Radicale with the users of `USERS`. Each test makes calendars of its own in it."""
    with RadicaleServer(USERS, tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture(scope="session")
def xandikos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XandikosServer]:
    """A Xandikos with the users of `USERS`. Each test makes calendars of its own in it."""
    with XandikosServer(USERS, tmp_path_factory.mktemp("xandikos")) as server:
        yield server
