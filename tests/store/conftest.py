"""A store in each kind of database, as in production but for the waits on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.database import Database, open_database
from gateway.store.store import Store
from tests.servers.postgres import PostgresServer
from tests.store.samples import AGENT, agent


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    create_key_file(path)
    return load_keys(path)


@pytest.fixture
def path(tmp_path: Path, sqlite_template: Path) -> Path:
    """A SQLite database with its tables."""
    return Path(shutil.copy(sqlite_template, tmp_path / "gateway.sqlite3"))


@pytest.fixture
def url(database_url: str) -> str:
    """A database with its tables, of each kind."""
    return database_url


@pytest.fixture
def database(url: str, keys: Keyring) -> Iterator[Database]:
    database = open_database(url, keys, synchronous="OFF")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    """A store with one enrolled agent."""
    return _with_agent(database)


@pytest.fixture
def sqlite_store(path: Path, keys: Keyring) -> Iterator[Store]:
    """A store with one enrolled agent, for what only SQLite has."""
    database = open_database(path, keys, synchronous="OFF")
    yield _with_agent(database)
    database.close()


@pytest.fixture(scope="module", params=["memory", "postgresql"])
def shared_store(request: pytest.FixtureRequest, keys: Keyring) -> Iterator[Store]:
    """A store with one enrolled agent, shared by the examples of a property."""
    if request.param == "memory":
        database = open_database("sqlite://", keys)
        yield _with_agent(database)
        database.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("postgres_template"))
    database = open_database(server.url(name), keys, synchronous="OFF")
    yield _with_agent(database)
    database.close()
    server.drop_database(name)


def _with_agent(database: Database) -> Store:
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    return store
