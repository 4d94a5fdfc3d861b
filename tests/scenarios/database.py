"""Where the gateway of a scenario keeps its database: a SQLite file, or a database of a PostgreSQL server."""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from pathlib import Path
from typing import Protocol

from gateway.store.database import upgrade
from tests.servers.postgres import PostgresServer

_NOTICED = 10.0


class ScenarioDatabase(Protocol):
    """One database with the gateway's tables. Nobody may be connected to it when it is saved, lost or restored."""

    @property
    def place(self) -> str:
        """As the configuration names it."""

    def loses(self) -> None:
        """Another takes its place, with nothing in its tables."""

    def saves(self) -> str:
        """A copy as of now; gives what `restores` wants."""

    def restores(self, copy: str) -> None:
        """Another takes its place, with what was saved."""

    def content(self) -> bytes:
        """All that lies in it and on its disk, also what was overwritten or removed since."""

    def wait_until_free(self) -> None:
        """Until a killed process has no part in it any more."""

    def close(self) -> None: ...


class SqliteDatabase:
    """A file in this directory."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "gateway.sqlite3"
        self._file.write_bytes(_new_file())

    @property
    def place(self) -> str:
        return str(self._file)

    def loses(self) -> None:
        for path in self._files():
            path.unlink()
        self._file.write_bytes(_new_file())

    def saves(self) -> str:
        return str(shutil.copy(self._file, self._file.with_name("copy.sqlite3")))

    def restores(self, copy: str) -> None:
        self.loses()
        shutil.copy(copy, self._file)

    def content(self) -> bytes:
        """The write-ahead log included."""
        return b"".join(path.read_bytes() for path in self._files())

    def wait_until_free(self) -> None:
        """The system frees what a process held before it reports its end."""

    def close(self) -> None:
        """The file goes with its directory."""

    def _files(self) -> list[Path]:
        return list(self._file.parent.glob(f"{self._file.name}*"))


class PostgresDatabase:
    """Made on `server` from `template`, which has the gateway's tables; removed with its copies by `close`."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._name = server.new_database(template)
        self._copies: list[str] = []

    @property
    def place(self) -> str:
        return self._server.url(self._name)

    def loses(self) -> None:
        self._replace_by(self._template)

    def saves(self) -> str:
        copy = self._server.copy_of(self._name)
        self._copies.append(copy)
        return copy

    def restores(self, copy: str) -> None:
        self._replace_by(copy)

    def content(self) -> bytes:
        """The rows of every table, since long values are compressed in the files; and the files."""
        return self._server.rows(self._name) + self._server.files(self._name)

    def wait_until_free(self) -> None:
        """The server ends a session when it notices that nobody is there."""
        until = time.monotonic() + _NOTICED
        while self._server.sessions(self._name):
            assert time.monotonic() < until, "a session outlives its process"
            time.sleep(0.01)

    def close(self) -> None:
        for name in (self._name, *self._copies):
            self._server.drop_database(name)

    def _replace_by(self, template: str) -> None:
        self._server.drop_database(self._name)
        self._name = self._server.new_database(template)


@functools.cache
def _new_file() -> bytes:
    """A database as `db upgrade` makes it; made once, since that takes longer than many a scenario."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "new.sqlite3"
        upgrade(path)
        return path.read_bytes()
