"""SQLite: one file on this machine.

WAL with `synchronous=FULL`: a commit that returned survives a power cut. Writers begin with BEGIN IMMEDIATE, one at a
time; readers see the state of one instant.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool, StaticPool

from connectors.errors import ConnectorError, ITMustAct, RetryLater
from gateway.store.backend import Engines
from gateway.store.problems import SYSTEM, AnotherSync, UnmigratedDatabase

BUSY_SECONDS = 30.0
"""How long to wait for another process that writes."""

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BUSY = "Nothing if it passes: the next run tries again. Else end the program that has the file open (a copy, a shell)."
_FOLLOWS = "The next run takes up where this one ended."
_DAMAGED = (
    "Put the last good copy in its place; until that is gone through, nothing is removed. Without one: move the file"
    " away, `rdv-gateway db upgrade`, and enroll the agents again; what is there on both sides is paired."
)
_BY_IT = {
    sqlite3.SQLITE_FULL: ("its disk is full", f"Make room on that disk. {_FOLLOWS}"),
    sqlite3.SQLITE_READONLY: (
        "it may not be written",
        f"Let this user write the file and its directory; look whether the disk is mounted read-only. {_FOLLOWS}",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        f"Let this user read and write the file and its directory; look whether the disk is read-only. {_FOLLOWS}",
    ),
    sqlite3.SQLITE_PERM: ("it may not be opened", f"Let this user read and write the file. {_FOLLOWS}"),
    sqlite3.SQLITE_IOERR: (
        "its disk fails, or has no room left",
        f"Look at that disk, its room and quota, the limit on the size of files, and the system's log. {_FOLLOWS}",
    ),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("it is no SQLite database", f"See that the configuration names the right file. {_DAMAGED}"),
}


class Sqlite:
    """The database at `path`; None: one in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def where(self) -> str:
        """The file."""
        return "memory" if self._path is None else str(self._path)

    @property
    def in_memory(self) -> bool:
        """Whether there is no file."""
        return self._path is None

    def create(self) -> None:
        """The file (mode 0600) and the directories above it (0700). SQLite gives its WAL the file's mode."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))

    def require_place(self) -> None:
        """SQLite would make a file that is not there."""
        if self._path is not None and not self._path.exists():
            raise UnmigratedDatabase(f"there is no database at {self._path}")

    def engines(self, *, synchronous: bool = True, patient: bool = False) -> Engines:  # noqa: ARG002 - nothing to wait for
        """Nothing here is ever given up for taking long, once its turn has come."""
        engine = self._engine()
        level = "FULL" if synchronous else "OFF"

        def connected(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode not in ("wal", "memory"):
                raise ITMustAct(
                    "the database's file system cannot hold a write-ahead log",
                    system=SYSTEM,
                    remedy="Put the database on a local disk, not on a network share.",
                )
            connection.execute(f"PRAGMA synchronous={level}")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA secure_delete=ON")  # what is removed leaves the free pages too

        event.listen(engine, "connect", connected)
        return Engines(engine, engine)

    def _engine(self) -> Engine:
        arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None}
        if self._path is None:
            return create_engine("sqlite://", connect_args=arguments, poolclass=StaticPool, hide_parameters=True)
        # Connections are cheap and threads are bounded elsewhere: a reader never waits for one.
        url = URL.create("sqlite", database=str(self._path))
        return create_engine(url, connect_args=arguments, poolclass=QueuePool, max_overflow=-1, hide_parameters=True)

    def begin_reading(self, connection: Connection) -> None:
        """The driver begins nothing by itself; its own way would begin at the first write, after what decided it."""
        connection.exec_driver_sql("BEGIN")

    def take_turn(self, connection: Connection) -> None:
        """SQLite waits for it."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def sweep(self, connection: Connection) -> bool:
        """Fold the write-ahead log, which holds pages as they were, into the file, and empty it."""
        driver = connection.connection.driver_connection
        if self._path is None or not isinstance(driver, sqlite3.Connection):
            return True
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def require_fit(self, connection: Connection) -> None:
        """Every SQLite file is."""

    @contextmanager
    def sync_lock(self) -> Iterator[None]:
        """The lock is the kernel's, on a file beside the database: it lasts as long as this process, and no longer."""
        if self._path is None:
            yield
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path.with_name(f"{self._path.name}.sync-lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AnotherSync(f"another process syncs on {self._path}") from None
            yield
        finally:
            os.close(descriptor)

    def explain(self, error: BaseException) -> ConnectorError | None:
        """By SQLite's result code."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
        if code in _PASSING:
            return RetryLater(f"another process keeps {self.where} busy", system=SYSTEM, remedy=_BUSY)
        if code in _BY_IT:
            what, remedy = _BY_IT[code]
            return ITMustAct(f"{self.where} cannot be used: {what}", system=SYSTEM, remedy=remedy)
        return None
