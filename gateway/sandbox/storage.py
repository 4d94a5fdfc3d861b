"""One SQLite database, one connection, one lock: the state of the double, in a file or in memory."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.sandbox import schema

Clock = Callable[[], datetime]
"""Gives the present as an aware `datetime`."""

Parameters = Sequence[object] | Mapping[str, object]


class Storage:
    """Runs SQL under one lock, so that HTTP, webhooks, pages and in-process tests see whole transactions only.

    `fresh` is true when the database was created by this opening (and so wants its first data).
    Raises `ValueError` for a file made by another version of the double.
    """

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._depth = 0
        # autocommit: transactions are opened by hand; the lock replaces sqlite3's own thread check
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        self.fresh = version == 0
        if version not in (0, schema.VERSION):
            self._connection.close()
            raise ValueError(f"{path} was made by another version of the sandbox: remove it to start anew")
        if self.fresh:
            self._create()

    def _create(self) -> None:
        with self.transaction():
            for statement in schema.TABLES.split(";\n"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {schema.VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Nested uses join the outermost one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        with self._lock:
            found: sqlite3.Row | None = self._connection.execute(sql, parameters).fetchone()
            return found

    def number(self, sql: str, parameters: Parameters = ()) -> int:
        """The single integer that `sql` selects; 0 when it selects nothing."""
        found = self.row(sql, parameters)
        return int(found[0] or 0) if found else 0

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Executes a write and gives the id of the inserted row, if it inserted one."""
        with self._lock:
            return self._connection.execute(sql, parameters).lastrowid or 0

    def setting(self, name: str, default: Any) -> Any:
        found = self.row("SELECT value FROM settings WHERE name = ?", [name])
        return default if found is None else json.loads(found[0])

    def set_setting(self, name: str, value: object) -> None:
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", [name, json.dumps(value)])

    def clear(self) -> None:
        """Empties every table."""
        with self.transaction():
            for table in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
                self.run(f"DELETE FROM {table[0]}")  # noqa: S608 -- names come from our own schema
            # deliveries go on counting: one that is on its way must not be taken for a new one when it ends
            self.run("DELETE FROM sqlite_sequence WHERE name <> 'deliveries'")

    def close(self) -> None:
        with self._lock:
            self._connection.close()
