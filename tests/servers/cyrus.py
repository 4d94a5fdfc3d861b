"""A real Cyrus, from its Debian package, with a master process of its own, for tests."""

from __future__ import annotations

import imaplib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers.debian import Quarters, program
from tests.servers.process import ServerDidNotStart, ServerProcess, free_port

_PROGRAMS = Path("/usr/lib/cyrus/bin")
_REALM = "calendars.example"
_ADMINISTRATOR = {"cyradm": "secret-cyradm"}
_FOLDERS = ("db", "socket", "proc", "log", "user", "msg", "lock", "quota", "spool", "sieve")


class CyrusServer:
    """Cyrus on loopback, for calendars alone. `users`: login -> password."""

    name = "cyrus"

    def __init__(self, users: Mapping[str, str]) -> None:
        self.users = dict(users)
        self._mail_port = 0
        self._quarters = Quarters("cyrus")
        self._process = ServerProcess(self._command, self._quarters.directory / "output")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._process.port}/"

    def home(self, user: str) -> str:
        """The path of a user's calendar home."""
        return f"/dav/calendars/user/{user}/"

    def start(self) -> None:
        """Make its folders and its users, and wait until it listens."""
        try:
            self._prepare()
            self._process.start()
            for login, password in self.users.items():
                self._mail(login, password).logout()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and leave nothing behind."""
        self._process.stop()
        self._quarters.remove()

    def share(self, calendar: str, user: str) -> None:
        """Let a user read and write a calendar of somebody else, as an administrator does it with `cyradm`."""
        _, _, _, _, owner, name, _ = calendar.split("/")
        (administrator,) = _ADMINISTRATOR.items()
        with self._mail(*administrator) as mail:
            said, _ = mail.setacl(f'"user/{owner}/#calendars/{name}"', user, "lrswitedn")
        assert said == "OK"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare(self) -> None:
        if not (_PROGRAMS / "httpd").exists():
            raise ServerDidNotStart("Cyrus is missing: run this through `make test-system`, which installs it")
        here = self._quarters.directory
        self._quarters.run(program("mkdir"), *(str(here / name) for name in _FOLDERS))
        passwords = here / "passwords"
        for login, password in {**self.users, **_ADMINISTRATOR}.items():
            options = ("-p", "-c", "-f", str(passwords), "-u", _REALM)
            self._quarters.run(program("saslpasswd2"), *options, login, given=password)
        settings = {
            "admins": " ".join(_ADMINISTRATOR),
            "cyrus_user": self._quarters.account,
            "servername": _REALM,
            "configdirectory": str(here),
            "defaultpartition": "default",
            "partition-default": str(here / "spool"),
            "sievedir": str(here / "sieve"),
            "proc_path": str(here / "proc"),
            "mboxname_lockpath": str(here / "lock"),
            "unixhierarchysep": "yes",
            "allowplaintext": "yes",
            "sasl_pwcheck_method": "auxprop",
            "sasl_auxprop_plugin": "sasldb",
            "sasl_sasldb_path": str(passwords),
            "sasl_mech_list": "PLAIN",
            "httpmodules": "caldav",
            "delete_mode": "immediate",  # kept under the second of its removal, a calendar cannot go twice within one
            "autocreate_quota": "0",  # a mailbox, to which calendars belong, at the first login by IMAP
        }
        self._quarters.put("imapd.conf", "".join(f"{name}: {value}\n" for name, value in settings.items()))

    def _command(self, port: int) -> list[str]:
        self._mail_port = free_port()
        configuration = str(self._quarters.directory / "imapd.conf")
        services = {"http": ("httpd", port), "imap": ("imapd", self._mail_port)}
        lines = [
            f'  {name} cmd="{_PROGRAMS / run} -C {configuration}" listen="127.0.0.1:{where}" prefork=0'
            for name, (run, where) in services.items()
        ]
        recover = f'  recover cmd="{_PROGRAMS / "ctl_cyrusdb"} -C {configuration} -r"'
        parts = ["START {", recover, "}", "SERVICES {", *lines, "}", "EVENTS {", "}", ""]
        plan = self._quarters.put("cyrus.conf", "\n".join(parts))
        pid = str(self._quarters.directory / "pid")
        return self._quarters.command(program("cyrmaster"), "-C", configuration, "-M", str(plan), "-p", pid, "-D")

    def _mail(self, login: str, password: str) -> imaplib.IMAP4:
        mail = imaplib.IMAP4("127.0.0.1", self._mail_port, timeout=30)
        mail.authenticate("PLAIN", lambda _: f"\0{login}\0{password}".encode())
        return mail
