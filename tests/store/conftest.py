"""A store on a real file, as in production but for the waits on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.database import Database, open_database, upgrade
from gateway.store.store import Store
from tests.store.samples import AGENT, agent


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    create_key_file(path)
    return load_keys(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "gateway.sqlite3"


@pytest.fixture
def url(path: Path) -> str:
    """A database with its tables."""
    url = f"sqlite:///{path}"
    upgrade(url)
    return url


@pytest.fixture
def database(url: str, keys: Keyring) -> Iterator[Database]:
    database = open_database(url, keys, synchronous="OFF")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    """A store with one enrolled agent."""
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    return store


@pytest.fixture(scope="module")
def memory(keys: Keyring) -> Iterator[Store]:
    """A store in memory with one enrolled agent, shared by the examples of a property."""
    database = open_database("sqlite://", keys)
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    yield store
    database.close()
