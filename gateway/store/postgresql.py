"""PostgreSQL: a server, which other processes and machines use too.

Readers see one instant (REPEATABLE READ, read-only). Writers take turns by an advisory lock that ends with their
transaction, so that what a transaction reads before it writes holds until it commits, as on SQLite. They must run in
READ COMMITTED: a later statement then sees what was committed while they waited, which one snapshot taken before the
wait would not.

The right to sync is an advisory lock of one session. All writes of a sync go through that session: when the server
loses it and gives the lock away, the sync that lost it cannot write any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.pool import NullPool, QueuePool

from connectors.errors import ConnectorError, ITMustAct, RetryLater
from connectors.hosts import is_loopback
from gateway.store.backend import Engines
from gateway.store.problems import SYSTEM, AnotherSync, Unreachable

BUSY_SECONDS = 30.0
"""How long to wait for another process that writes."""
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 60.0
"""How long one statement may take, and how long a transaction may be idle before the server ends its session."""

_POOL = 5
_OVERFLOW = 15  # threads that read at the same time beyond that wait for each other
_LOCKS = 0x72647677  # the first half of our advisory locks' keys, so that nobody else's are met by chance
_SYNC, _WRITE = 1, 2

_BUSY = {"40001", "40P01", "55P03"}  # serialization_failure, deadlock_detected, lock_not_available
_SLOW = {"57014", "25P03", "25P04"}  # query_canceled, idle and whole transaction timeouts
_GONE = {"57P01", "57P02", "57P03", "57P05", "53300"}  # shut down, crashed, starting, idle session, too many clients
_BY_IT = {
    "25006": "it may not be written: it is a standby, or read-only",
    "28000": "it refuses the role",
    "28P01": "it refuses the password",
    "3D000": "there is no database of that name",
    "3F000": "there is no schema to put tables in",
    "42501": "the role lacks a right",
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53400": "a limit of its configuration is exceeded",
    "58030": "its disk fails",
    "58P01": "it lacks one of its files",
    "XX001": "it is damaged",
    "XX002": "an index of it is damaged",
}
# A server that refuses a connection gives no code to the driver, only words, in its own language.
_PASSING_REFUSALS = (
    *("starting up", "shutting down", "recovery mode", "not yet accepting", "too many", "connection slots"),
    *("se lance", "s'arrête", "en cours de restauration", "trop de", "emplacements de connexions"),
)


class PostgreSql:
    """The database that `url` names. Its password, where it needs one, is part of it."""

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")

    @property
    def where(self) -> str:
        """The URL without its password."""
        return self._url._replace(drivername="postgresql", password=None).render_as_string()

    @property
    def in_memory(self) -> bool:
        """Never."""
        return False

    def create(self) -> None:
        """A database is made by those who run the server."""

    def require_place(self) -> None:
        """Connecting to a database that is not there fails by itself."""

    def engines(self, *, synchronous: bool = True, patient: bool = False) -> Engines:
        """`synchronous` leaves the server's setting; without it a commit does not wait for the disk."""
        options = session_options(patient=patient) | ({} if synchronous else {"synchronous_commit": "off"})
        engine = self._engine(options, poolclass=QueuePool, pool_size=_POOL, max_overflow=_OVERFLOW, pool_pre_ping=True)
        return Engines(
            reading=engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
            writing=engine.execution_options(isolation_level="READ COMMITTED"),
        )

    def begin_reading(self, connection: Connection) -> None:
        """The driver has begun."""

    def take_turn(self, connection: Connection) -> None:
        """Freed by the server when the transaction ends, however it ends."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:first, :second)"), {"first": _LOCKS, "second": _WRITE})

    def sweep(self, connection: Connection) -> bool:  # noqa: ARG002 - nothing to do
        """The server's own business (VACUUM)."""
        return True

    def require_fit(self, connection: Connection) -> None:
        """Any text must fit in, and commits must last."""
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise ITMustAct(
                f"the database's encoding is {encoding}",
                system=SYSTEM,
                remedy="Make a database with ENCODING 'UTF8'.",
            )

    @contextmanager
    def sync_lock(self) -> Iterator[Connection]:
        """A session of its own holds it. It ends with the session, whoever ends it."""
        engine = self._engine(session_options(), poolclass=NullPool)
        try:
            with engine.connect().execution_options(isolation_level="READ COMMITTED") as holder:
                with holder.begin():
                    taken = holder.scalar(
                        text("SELECT pg_try_advisory_lock(:first, :second)"), {"first": _LOCKS, "second": _SYNC}
                    )
                if not taken:
                    raise AnotherSync(f"another process syncs on {self.where}")
                try:
                    yield holder
                finally:
                    _unlock(holder)
        finally:
            engine.dispose()

    def explain(self, error: BaseException) -> ConnectorError | None:
        """By SQLSTATE; while connecting, by what the driver says."""
        if not isinstance(error, psycopg.Error):
            return None
        if error.sqlstate is not None:
            return _told_by_server(error.sqlstate, self.where)
        return _not_connected(str(error), self.where) if isinstance(error, psycopg.OperationalError) else None

    def _engine(self, options: Mapping[str, str], **pool: object) -> Engine:
        engine = create_engine(
            self._url, connect_args=connect_arguments(self._url, options), hide_parameters=True, **pool
        )
        event.listen(engine, "handle_error", _conceal_values)
        return engine


def session_options(*, patient: bool = False) -> dict[str, str]:
    """What each session asks of the server. `patient`: no limit but on the wait for another writer."""
    limit = 0 if patient else round(STATEMENT_SECONDS * 1000)
    return {
        "timezone": "UTC",
        "datestyle": "ISO",  # the only one that the driver reads
        "lock_timeout": str(round(BUSY_SECONDS * 1000)),
        "statement_timeout": str(limit),
        # A process that is stopped in the middle keeps the others from writing no longer than this.
        "idle_in_transaction_session_timeout": str(limit),
        "idle_session_timeout": "0",  # the session that holds the right to sync is idle between two writes
        # A machine that vanished loses its locks within a minute or so, not after hours.
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }


def connect_arguments(url: URL, options: Mapping[str, str]) -> dict[str, str | int]:
    """What the driver is given beside the URL, whose own parameters go first.

    Over a network, without any word on it in the URL, the server must prove who it is by its certificate.
    """
    given = url.query
    own = str(given.get("options", ""))
    arguments: dict[str, str | int] = {
        "options": " ".join([*([own] if own else []), *(f"-c {name}={value}" for name, value in options.items())]),
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "rdv-gateway",
        "client_encoding": "UTF8",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    if "sslmode" not in given and any(map(_is_remote, _hosts(url))):
        arguments |= {"sslmode": "verify-full", "sslrootcert": "system"}
    return {name: value for name, value in arguments.items() if name == "options" or name not in given}


def _hosts(url: URL) -> list[str]:
    """Those that the driver will try; a name that begins with / is the directory of a local socket."""
    given = url.query.get("host", "")
    hosts = [*([url.host] if url.host else []), *([given] if isinstance(given, str) else given)]
    return [one for host in hosts for one in host.split(",") if one] or [os.environ.get("PGHOST", "")]


def _is_remote(host: str) -> bool:
    return bool(host) and not host.startswith(("/", "@")) and not is_loopback(host)


def _told_by_server(state: str, where: str) -> ConnectorError | None:
    if state in _BUSY:
        return RetryLater(f"another process keeps the database busy ({where})", system=SYSTEM)
    if state in _SLOW:
        return RetryLater(f"the database's server takes too long ({where})", system=SYSTEM)
    if state in _GONE or state.startswith("08"):
        return Unreachable(f"the database's server ended the connection ({where})")
    if state in _BY_IT:
        return ITMustAct(
            f"the database cannot be used: {_BY_IT[state]} ({where})",
            system=SYSTEM,
            remedy="Look at the database's server: its disk, its log, and the rights of the gateway's role.",
        )
    return None


def _not_connected(words: str, where: str) -> ConnectorError:
    lowered = words.lower()
    if "ssl" in lowered or "certificate" in lowered:
        return ITMustAct(
            f"no protected connection to the database's server could be made ({where})",
            system=SYSTEM,
            remedy="Look at its certificate, and at sslmode and sslrootcert in the database's URL.",
        )
    if "fatal" in lowered and not any(part in lowered for part in _PASSING_REFUSALS):
        return ITMustAct(
            f"the database's server refuses the connection ({where})",
            system=SYSTEM,
            remedy="Look at the role, its password, the database's name and pg_hba.conf; the server's log says which.",
        )
    if "no password supplied" in lowered:
        return ITMustAct(
            f"the database's server asks for a password ({where})",
            system=SYSTEM,
            remedy="Give gateway.database_password_env or gateway.database_password_file.",
        )
    return Unreachable(f"the database's server cannot be reached ({where})")


def _unlock(holder: Connection) -> None:
    """At once, where closing the session would do it a little later. A session that was lost has lost it already."""
    if not holder.invalidated:
        with suppress(psycopg.Error):
            driver = holder.connection.driver_connection
            if isinstance(driver, psycopg.Connection):
                driver.execute("SELECT pg_advisory_unlock(%s, %s)", (_LOCKS, _SYNC))


def _conceal_values(context: ExceptionContext) -> None:
    """The server's words quote the row that it refuses: only those that name no value are kept."""
    error = context.original_exception
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        data = error.sqlstate.startswith("22")  # of these even the first line quotes the value
        words = f"SQLSTATE {error.sqlstate}" if data else (error.diag.message_primary or error.sqlstate)
        error.args = (words,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(error).__name__}) {words}",)
