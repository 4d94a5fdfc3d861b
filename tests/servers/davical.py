"""A real DAViCal, from its Debian package, on PHP's own web server and a private PostgreSQL, for tests."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psycopg

from tests.servers.debian import Quarters, program
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerDidNotStart, ServerProcess

_INSTALLED = Path("/usr/share/davical")
_LIBRARY = Path("/usr/share/awl")
_DATABASE = "davical"
_USER = """
WITH one AS (
  INSERT INTO usr (active, email_ok, username, password, fullname, email)
  VALUES (TRUE, current_date, %(login)s, %(password)s, %(login)s, %(email)s) RETURNING user_no)
INSERT INTO principal (type_id, user_no, displayname, default_privileges)
SELECT 1, user_no, %(login)s, 0::bit(24) FROM one
"""


class DavicalServer:
    """DAViCal on loopback. `users`: login -> password. It answers one request at a time."""

    name = "davical"

    def __init__(self, users: Mapping[str, str], postgres: PostgresServer) -> None:
        self.users = dict(users)
        self._postgres = postgres
        self._quarters = Quarters("nobody")
        self._process = ServerProcess(self._command, self._quarters.directory / "log")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._process.port}/"

    def home(self, user: str) -> str:
        """The path of a user's calendar home."""
        return f"/caldav.php/{user}/"

    def start(self) -> None:
        """Make its database and its users, and wait until it listens."""
        try:
            self._prepare()
            self._process.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and leave nothing behind."""
        self._process.stop()
        self._postgres.drop_database(_DATABASE)
        self._quarters.remove()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare(self) -> None:
        if not _INSTALLED.is_dir():
            raise ServerDidNotStart("DAViCal is missing: run this through `make test-system`, which installs it")
        here = self._quarters.directory
        # It looks for its configuration in /etc first, then beside its pages: those are copied, and /etc is closed.
        shutil.copytree(_INSTALLED / "htdocs", here / "htdocs")
        for part in ("inc", "locale", "dba"):
            (here / part).symlink_to(_INSTALLED / part)
        (here / "config").mkdir()
        place = f"host={self._postgres.directory} dbname={_DATABASE} user=davical_app"
        self._quarters.put("config/config.php", f'<?php $c->pg_connect[] = "{place}";\n')
        script = str(_INSTALLED / "dba" / "create-database.sh")
        self._quarters.run(script, _DATABASE, "admin", PGHOST=str(self._postgres.directory), PGUSER="postgres")
        with psycopg.connect(self._postgres.url(_DATABASE)) as connection:
            for login, password in self.users.items():
                # Two asterisks mark a password that is kept as it is.
                values = {"login": login, "password": f"**{password}", "email": f"{login}@dept.example"}
                connection.execute(_USER, values)

    def _command(self, port: int) -> list[str]:
        readable = ":".join(map(str, (self._quarters.directory, _INSTALLED, _LIBRARY)))
        options = {"open_basedir": readable, "opcache.enable_cli": "1", "date.timezone": "Europe/Paris"}
        return self._quarters.command(
            program("php"),
            *(part for name, value in options.items() for part in ("-d", f"{name}={value}")),
            *("-S", f"127.0.0.1:{port}", "-t", str(self._quarters.directory / "htdocs")),
        )
