"""Where the database of a simulated gateway lies: in memory, one per process, whose content is put back or replaced.

Opening a database, migrating it and teaching SQLAlchemy its statements costs more than a whole history; so all
histories of a process share one connection, and a history begins by putting the template's content into it. What a
`Disk` holds survives a killed process of the simulation, as a file would.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from connectors.errors import OurBug
from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.backend import Engines
from gateway.store.database import Database, backend_of, open_database
from gateway.store.problems import SYSTEM

_PLACE = "sqlite://"
_RAM = Path("/dev/shm")
_PERSONS = range(1, 4)


class _OneConnection(Database):
    """The same transactions as `Database` makes, on a connection that stays open: half of what a transaction costs is
    SQLAlchemy's giving out and taking back of connections. One thread only."""

    def __init__(self, engines: Engines, keys: Keyring, connection: Connection, driver: sqlite3.Connection) -> None:
        super().__init__(backend_of(_PLACE), engines, keys)
        self._connection = connection
        self._driver = driver
        self._transacting = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The only connection, within whatever transaction there is."""
        yield self._connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Committed when the block ends, rolled back when it raises; never inside another one."""
        if self._transacting:
            raise OurBug("a transaction was opened inside another one", system=SYSTEM)
        self._driver.execute("BEGIN IMMEDIATE")
        self._transacting = True
        try:
            yield self._connection
        except BaseException:
            self._driver.execute("ROLLBACK")
            raise
        else:
            self._driver.execute("COMMIT")
        finally:
            self._transacting = False


class Disk:
    """Content of a database. Bytes given and taken are those of a SQLite file."""

    def __init__(self, keys: Keyring, folder: tempfile.TemporaryDirectory[str]) -> None:
        self.keys = keys
        self._folder = folder  # of the keys: removed at the end of the process that made it
        self._engines = open_database(_PLACE, keys, synchronous="OFF")._engines
        self._connection = self._engines.reading.connect()
        self._connection.begin()  # SQLAlchemy's own, for good: SQLite's are begun and ended by `_OneConnection`
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        self.empty = self.content()  # migrated, without a row of anybody

    def opened(self) -> Database:
        """As a new process opens it: nothing is remembered but the content."""
        return _OneConnection(self._engines, self.keys, self._connection, self._driver)

    def content(self) -> bytes:
        """As of now, pages that are free included."""
        return self._driver.serialize()

    def replace(self, content: bytes) -> None:
        """Put another content in its place."""
        self._driver.deserialize(content)


@cache
def disk() -> Disk:
    """That of this process: processes that are forked after the first call inherit it."""
    folder = tempfile.TemporaryDirectory(prefix="simulation-", dir=_RAM if _RAM.is_dir() else None)
    path = Path(folder.name) / "keys.toml"
    create_key_file(path, random=Random(1).randbytes)
    keys = load_keys(path)
    for agent_id in _PERSONS:
        keys.persons.digest(agent_id, b"")  # made once, and for all
    return Disk(keys, folder)
