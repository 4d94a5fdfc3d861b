"""The database as a whole: opening, migrating, transactions, and the one process that may sync.

What differs between SQLite and PostgreSQL is in the modules of those names.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from connectors.errors import ITMustAct, OurBug, RetryLater
from gateway.keys import Keyring
from gateway.store import migrate
from gateway.store.backend import Backend, Engines
from gateway.store.problems import SYSTEM, ForeignDatabase, UnmigratedDatabase, Unreachable
from gateway.store.schema import REVISION, meta
from gateway.store.sqlite import Sqlite

Place = Path | URL | str
"""Where a database is: a SQLite file, or a URL such as `postgresql://gateway@db.example.fr/gateway`."""


class Database:
    """An open database and the keys of what is encrypted in it. Thread-safe."""

    def __init__(self, backend: Backend, engines: Engines, keys: Keyring) -> None:
        self.keys = keys
        self._backend = backend
        self._engines = engines
        self._writing = threading.Lock()
        self._of_thread = _OfThread()
        self._sync_holder: Connection | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on the committed state of one instant.

        Within a transaction of the same thread it is that transaction's: what it wrote is seen.
        """
        if self._of_thread.transaction is not None:
            yield self._of_thread.transaction
        elif self._backend.in_memory:
            with self.write() as connection:
                yield connection
        else:
            with translated(self._backend), self._engines.reading.connect() as connection:
                self._backend.begin_reading(connection)
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction: committed when the block ends, rolled back when it raises.

        Transactions of all threads and processes take turns. Raises `RetryLater` when another process keeps the
        database or its server is away, `ITMustAct` when its disk is full or fails, `OurBug` within another
        transaction of the same thread.
        """
        if self._of_thread.transaction is not None:
            raise OurBug("a transaction was opened inside another one", system=SYSTEM)
        with self._writing, translated(self._backend), self._writer() as connection, connection.begin():
            self._backend.take_turn(connection)
            self._of_thread.transaction = connection
            try:
                yield connection
            finally:
                self._of_thread.transaction = None

    @contextmanager
    def sync_lock(self) -> Iterator[None]:
        """Be the only process that syncs on this database, and write only as long as that is so.

        A killed process frees it. Raises `AnotherSync`.
        """
        with translated(self._backend), self._backend.sync_lock() as holder:
            self._sync_holder = holder
            try:
                yield
            finally:
                self._sync_holder = None

    def sweep(self) -> bool:
        """Take what was removed out of the files, where that is ours to do; False: not all of it, somebody reads."""
        with translated(self._backend), self._engines.reading.connect() as connection:
            return self._backend.sweep(connection)

    def close(self) -> None:
        """Close every connection; SQLite's last one out folds the WAL back into the file."""
        self._engines.dispose()

    @contextmanager
    def _writer(self) -> Iterator[Connection]:
        if self._sync_holder is None:
            with self._engines.writing.connect() as connection:
                yield connection
        elif self._sync_holder.invalidated:  # it would connect again, without the lock
            raise Unreachable("the connection that held the right to sync was lost; another process may sync by now")
        else:
            yield self._sync_holder


class _OfThread(threading.local):
    transaction: Connection | None = None


def open_database(place: Place, keys: Keyring, *, synchronous: Literal["FULL", "OFF"] = "FULL") -> Database:
    """Open a migrated database.

    `sqlite://` or `sqlite:///:memory:` is one in memory, made current on opening and gone on closing. The first
    opening binds a database to the keys' instance. `synchronous` OFF: a power cut may undo commits; for tests.
    Raises `UnmigratedDatabase`, `ForeignDatabase`, `ITMustAct`, `RetryLater`.
    """
    backend = backend_of(place)
    backend.require_place()
    database = Database(backend, backend.engines(synchronous=synchronous != "OFF"), keys)
    try:
        if backend.in_memory:
            with database.write() as connection:
                migrate.upgrade_connection(connection)
        with database.read() as connection:
            backend.require_fit(connection)
            require_current(connection)
        _bind_to_instance(database)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(place: Place, keys: Keyring | None = None) -> None:
    """Bring the schema to this version, all or nothing. A SQLite database that is not there is made (mode 0600).

    `keys`: needed where an earlier version wrote something that is encrypted or sealed.
    """
    if keys is not None:
        keys.persons.begin()
    backend = backend_of(place)
    backend.create()
    with alone(backend) as connection:
        backend.require_fit(connection)
        migrate.upgrade_connection(connection, keys)


def downgrade(place: Place, revision: str) -> None:
    """Take the schema back to `revision`; "base" removes every table, with all that they hold."""
    with alone(backend_of(place)) as connection:
        migrate.downgrade_connection(connection, revision)


@contextmanager
def sync_lock(place: Place) -> Iterator[None]:
    """Be the only process that syncs on this database, for work on it as a whole. Raises `AnotherSync`."""
    backend = backend_of(place)
    with translated(backend), backend.sync_lock():
        yield


def where(place: Place) -> str:
    """A database's place in words for people, without its password."""
    return backend_of(place).where


# --- for work on a whole database ----------------------------------------------------------------------------


def backend_of(place: Place) -> Backend:
    """What speaks to this database. Raises `ITMustAct` for a URL of neither kind."""
    if isinstance(place, Path):
        return Sqlite(place.absolute())
    try:
        url = make_url(place)
    except ArgumentError:  # its text would quote the URL, password and all
        raise _neither() from None
    if url.get_backend_name() == "sqlite":
        return Sqlite(Path(url.database).absolute() if url.database not in (None, "", ":memory:") else None)
    if url.get_backend_name() == "postgresql":
        from gateway.store.postgresql import PostgreSql  # noqa: PLC0415 - its driver, only for those who use it

        return PostgreSql(url)
    raise _neither()


@contextmanager
def alone(backend: Backend) -> Iterator[Connection]:
    """A transaction that may take long, while nobody else writes: committed when the block ends."""
    engines = backend.engines(patient=True)
    with ExitStack() as stack:
        stack.callback(engines.dispose)
        stack.enter_context(translated(backend))
        connection = stack.enter_context(engines.writing.connect())
        stack.enter_context(connection.begin())
        backend.take_turn(connection)
        yield connection


@contextmanager
def translated(backend: Backend) -> Iterator[None]:
    """The driver's errors that pass, or that somebody outside can mend, in the words of the error tree. Others stay."""
    try:
        yield
    except NoConnectionFree as error:
        raise RetryLater("no connection to the database came free", system=SYSTEM) from error
    except Exception as error:
        explained = backend.explain(error.orig or error if isinstance(error, DBAPIError) else error)
        if explained is None:
            raise
        raise explained from error


def require_current(connection: Connection) -> None:
    """Raise `UnmigratedDatabase` when the schema is not this version's."""
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
    owned_by = select(meta.c.value).where(meta.c.name == "instance")
    with database.read() as connection:
        owner = connection.execute(owned_by).scalar()
    if owner is None:
        with database.write() as connection:
            owner = connection.execute(owned_by).scalar()  # another process may have come first
            if owner is None:
                owner = database.keys.instance_id
                connection.execute(insert(meta), {"name": "instance", "value": owner})
    if owner != database.keys.instance_id:
        raise ForeignDatabase("the database belongs to another instance than the key file")


def _neither() -> ITMustAct:
    return ITMustAct(
        "the database is neither SQLite nor PostgreSQL",
        system=SYSTEM,
        remedy="Give the path of a file, or a URL that begins with postgresql://.",
    )
