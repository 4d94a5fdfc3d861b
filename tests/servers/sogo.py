"""A real SOGo, from its Debian package, on a private PostgreSQL and memcached, for tests."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Self

import psycopg

from tests.servers.debian import Quarters, program
from tests.servers.mail_sink import MailSink
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerProcess

_USERS = "CREATE TABLE users (c_uid text PRIMARY KEY, c_name text, c_password text, c_cn text, mail text)"
_USER = "INSERT INTO users VALUES (%(login)s, %(login)s, %(password)s, %(login)s, %(email)s)"


class SogoServer:
    """sogod on loopback, without a web server in front. `users`: login -> password. One request at a time.

    `mail` takes what it sends to people.
    """

    name = "sogo"

    def __init__(self, users: Mapping[str, str], postgres: PostgresServer) -> None:
        self.users = dict(users)
        self._postgres = postgres
        self._database = ""
        self.mail = MailSink()
        self._quarters = Quarters("sogo")
        here = self._quarters.directory
        self._cache = ServerProcess(self._cache_command, here / "memcached.log")
        # Told to end, it waits for its next request, however long: nothing is lost by force.
        self._process = ServerProcess(self._command, here / "log", end=signal.SIGKILL)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._process.port}/"

    def home(self, user: str) -> str:
        """The path of a user's calendar home."""
        return f"/SOGo/dav/{user}/Calendar/"

    def start(self) -> None:
        """Make its database and its users, and wait until it listens."""
        try:
            self._database = self._postgres.new_database()
            with psycopg.connect(self._postgres.url(self._database)) as connection:
                connection.execute(_USERS)
                for login, password in self.users.items():
                    values = {"login": login, "password": password, "email": f"{login}@dept.example"}
                    connection.execute(_USER, values)
            self.mail.start()
            self._cache.start()
            self._process.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and leave nothing behind."""
        self._process.stop()
        self._cache.stop()
        self.mail.stop()
        if self._database:
            self._postgres.drop_database(self._database)
        self._quarters.remove()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _cache_command(self, port: int) -> list[str]:
        return self._quarters.command(program("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "16")

    def _command(self, port: int) -> list[str]:
        """What is said here goes before /etc/sogo/sogo.conf."""
        place = f"postgresql://postgres@/{self._database}"  # its host is told by PGHOST
        people = (
            f'({{type=sql; id=users; viewURL="{place}/users"; canAuthenticate=YES; isAddressBook=YES;'
            ' displayName="Agents"; userPasswordAlgorithm=plain;})'
        )
        settings = {
            "WOPort": f"127.0.0.1:{port}",
            "WOUseWatchDog": "NO",
            "WONoDetach": "YES",
            "WOLogFile": "-",
            "WOPidFile": str(self._quarters.directory / "pid"),
            "SOGoProfileURL": f"{place}/sogo_user_profile",
            "OCSFolderInfoURL": f"{place}/sogo_folder_info",
            "OCSSessionsFolderURL": f"{place}/sogo_sessions_folder",
            "OCSEMailAlarmsFolderURL": f"{place}/sogo_alarms_folder",
            "SOGoUserSources": people,
            "SOGoMemcachedHost": f"127.0.0.1:{self._cache.port}",
            "SOGoAppointmentSendEMailNotifications": "YES",
            "SOGoMailingMechanism": "smtp",
            "SOGoSMTPServer": self.mail.url,
            "SOGoTimeZone": "Europe/Paris",
        }
        options = [part for name, value in settings.items() for part in (f"-{name}", value)]
        return self._quarters.command(program("sogod"), *options, PGHOST=str(self._postgres.directory))
