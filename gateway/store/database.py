"""The database as a whole: opening, migrating, transactions, and the one process that may sync.

All that only SQLite needs is here. WAL with `synchronous=FULL`: a commit that returned survives a power cut.
Writers begin with BEGIN IMMEDIATE, one at a time in this process; readers see the state of one instant.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool, StaticPool

from connectors.errors import ITMustAct, OurBug, RetryLater
from gateway.keys import Keyring
from gateway.store import migrate
from gateway.store.schema import REVISION, meta

SYSTEM = "database"
BUSY_SECONDS = 30.0
"""How long to wait for another process that writes."""

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
_WRITES = "gateway_writes"
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BY_IT = {
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_READONLY: "it may not be written",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "it may not be opened",
    sqlite3.SQLITE_IOERR: "its disk fails",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database",
}


class UnmigratedDatabase(ITMustAct):
    """The database's schema is not the one this version works with."""

    default_remedy = "Run `rdv-gateway db upgrade`."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, system=SYSTEM, remedy=remedy)


class ForeignDatabase(ITMustAct):
    """The database belongs to another instance than the key file."""

    default_remedy = "Name the key file that was made with this database."

    def __init__(self, message: str) -> None:
        super().__init__(message, system=SYSTEM)


class AnotherSync(RetryLater):
    """Another process syncs on this database."""

    default_remedy = "Nothing if the service runs: it does the work. Else wait for the other command to end."

    def __init__(self, message: str) -> None:
        super().__init__(message, system=SYSTEM)


class Database:
    """An open database and the keys of what is encrypted in it. Thread-safe."""

    def __init__(self, engine: Engine, keys: Keyring, *, shared_connection: bool) -> None:
        """`shared_connection`: all threads share one (a database in memory), so that readers wait too."""
        self.keys = keys
        self._engine = engine
        self._shared = shared_connection
        self._writing = threading.Lock()
        self._of_thread = _OfThread()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on the committed state of one instant.

        Within a transaction of the same thread it is that transaction's: what it wrote is seen.
        """
        if self._of_thread.transaction is not None:
            yield self._of_thread.transaction
        elif self._shared:
            with self.write() as connection:
                yield connection
        else:
            with _translated(), self._engine.connect() as connection:
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction: committed when the block ends, rolled back when it raises.

        Raises `RetryLater` when another process keeps the database, `ITMustAct` when its disk is full or fails,
        `OurBug` within another transaction of the same thread.
        """
        if self._of_thread.transaction is not None:
            raise OurBug("a transaction was opened inside another one", system=SYSTEM)
        with self._writing, _translated(), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                self._of_thread.transaction = connection
                try:
                    yield connection
                finally:
                    self._of_thread.transaction = None

    def close(self) -> None:
        """Close every connection; the last one out folds the WAL back into the file."""
        self._engine.dispose()


class _OfThread(threading.local):
    transaction: Connection | None = None


def open_database(url: str, keys: Keyring, *, synchronous: str = "FULL") -> Database:
    """Open a migrated database, e.g. `sqlite:////var/lib/rdv-gateway/gateway.sqlite3`.

    `sqlite://` or `sqlite:///:memory:` is one in memory, made current on opening and gone on closing. The first
    opening binds a database to the keys' instance. `synchronous` less than FULL is for tests.
    Raises `UnmigratedDatabase`, `ForeignDatabase`, `ITMustAct`.
    """
    path = database_path(url)
    if path is not None and not path.exists():  # SQLite would make one
        raise UnmigratedDatabase(f"there is no database at {path}")
    engine = _engine(url, synchronous=synchronous)
    database = Database(engine, keys, shared_connection=path is None)
    try:
        if path is None:
            with database.write() as connection:
                migrate.upgrade_connection(connection)
        with database.read() as connection:
            _require_current(connection)
        _bind_to_instance(database)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(url: str) -> None:
    """Make the database if there is none (mode 0600) and bring its schema to this version, all or nothing."""
    path = database_path(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its WAL the same mode
    with _schema_change(url) as connection:
        migrate.upgrade_connection(connection)


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision`; "base" removes every table, with all that they hold."""
    with _schema_change(url) as connection:
        migrate.downgrade_connection(connection, revision)


def database_path(url: str) -> Path | None:
    """The database's file, absolute; None for one in memory. Raises `ITMustAct` for a URL that is not SQLite's."""
    parsed = _sqlite_url(url)
    return Path(parsed.database).absolute() if parsed.database not in (None, "", ":memory:") else None


@contextmanager
def sync_lock(path: Path | None) -> Iterator[None]:
    """Be the only process that syncs on the database at `path` (see `database_path`; None: nothing to lock).

    The lock is the kernel's, on a file beside the database: a killed process frees it. Raises `AnotherSync`.
    """
    if path is None:
        yield
        return
    descriptor = os.open(path.with_name(f"{path.name}.sync-lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherSync(f"another process syncs on {path}") from None
        yield
    finally:
        os.close(descriptor)


# --- connections ---------------------------------------------------------------------------------------------


def _sqlite_url(url: str) -> URL:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ITMustAct(
            "only SQLite databases are supported", system=SYSTEM, remedy="Give a URL that begins with sqlite:///."
        )
    return parsed


def _engine(url: str, *, synchronous: str) -> Engine:
    if synchronous not in _SYNCHRONOUS:
        raise ValueError(f"synchronous is one of {', '.join(_SYNCHRONOUS)}")
    parsed = _sqlite_url(url)
    arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None}
    if database_path(url) is None:
        engine = create_engine(parsed, connect_args=arguments, poolclass=StaticPool, hide_parameters=True)
    else:
        # Connections are cheap and threads are bounded elsewhere: a reader never waits for one.
        engine = create_engine(
            parsed, connect_args=arguments, poolclass=QueuePool, max_overflow=-1, hide_parameters=True
        )

    def connected(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode not in ("wal", "memory"):
            raise ITMustAct(
                "the database's file system cannot hold a write-ahead log",
                system=SYSTEM,
                remedy="Put the database on a local disk, not on a network share.",
            )
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")

    def begun(connection: Connection) -> None:
        # The driver's own way begins at the first write, after the reads that decided it.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


@contextmanager
def _schema_change(url: str) -> Iterator[Connection]:
    engine = _engine(url, synchronous="FULL")
    try:
        with _translated(), engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection
    finally:
        engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """The driver's errors that somebody outside can mend, in the words of the error tree. Others stay."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        driver = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(driver, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
        if code in _PASSING:
            raise RetryLater("another process keeps the database busy", system=SYSTEM) from error
        if code in _BY_IT:
            raise ITMustAct(
                f"the database cannot be used: {_BY_IT[code]}",
                system=SYSTEM,
                remedy="Look at the disk, the rights and the health of the database's file.",
            ) from error
        raise


def _require_current(connection: Connection) -> None:
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise UnmigratedDatabase(
            f"the database was made by a newer version (schema {found}, this one knows {REVISION})",
            remedy="Install that version again; `rdv-gateway db upgrade` cannot go back.",
        )
    raise UnmigratedDatabase(f"the database has schema {found or 'none'}, this version needs {REVISION}")


def _bind_to_instance(database: Database) -> None:
    with database.read() as connection:
        owner = connection.execute(select(meta.c.value).where(meta.c.name == "instance")).scalar()
    if owner is None:
        with database.write() as connection:
            connection.execute(insert(meta), {"name": "instance", "value": database.keys.instance_id})
    elif owner != database.keys.instance_id:
        raise ForeignDatabase("the database belongs to another instance than the key file")
