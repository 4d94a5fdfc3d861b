"""A real CalDAV server as a bench for the contract and for tests of this connector's own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, Self

import httpx2

from connectors.caldav import CalDavAccount, CalDavSettings
from connectors.caldav.cursor import Cursor
from connectors.caldav.paths import encoded
from connectors.caldav.profiles import PROFILES, ServerProfile
from connectors.caldav.provision import make_calendar
from tests.servers.counting_proxy import CountingProxy, Cut, Trait

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
_numbers = itertools.count(1)


def cursor_at(token: str, **fields: object) -> str:
    """The cursor of a calendar that was read right now, up to this sync-token."""
    return str(Cursor(NOW, NOW, **({"token": token} | fields)))  # type: ignore[arg-type]


def token_in(cursor: str) -> str:
    """The sync-token that a cursor holds."""
    parsed = Cursor.parse(cursor)
    assert parsed is not None
    return parsed.token


class CalDavServer(Protocol):
    name: str
    users: dict[str, str]

    @property
    def url(self) -> str: ...

    def home(self, user: str) -> str: ...


class CalDavBench:
    """One server, seen through a proxy that counts, with a calendar of alice's that is new. A context manager."""

    def __init__(
        self,
        server: CalDavServer,
        *,
        keep_alive: str = "yes",
        traits: Sequence[Trait] = (),
        profile: ServerProfile | None = None,
        has_marks: bool = True,
        tells_changes: bool = True,
        counts_seconds: bool = False,
        one_uid: bool = True,
        one_uid_per_user: bool = False,
        settling_time: float = 0.0,
        many: int = 120,
        asked_again: int = 0,
    ) -> None:
        """`asked_again`: items for which a first reading needs a request each. `settling_time`: see `Bench.settle`;
        the doubles' clocks go on by themselves.

        `one_uid_per_user`: a UID is refused as long as any calendar of the user has it, so that this one is removed
        in the end.
        """
        self.profile = profile or PROFILES[server.name]
        self.has_marks = has_marks
        self.tells_changes = tells_changes
        self.counts_seconds = counts_seconds
        self.one_uid = one_uid
        self._settling_time = settling_time
        self._removes_calendar = one_uid_per_user
        self.many = many
        self._asked_again = asked_again
        self.server = server
        self.password = server.users["alice"]
        self.calendar = f"{server.home('alice')}calendar-{next(_numbers)}/"
        self.makes_calendar()
        self.proxy = CountingProxy(server.url, keep_alive=keep_alive, traits=traits)
        self._accounts: list[CalDavAccount] = []
        login = ("alice", self.password)
        # Other people meet the same server; only what the gateway asks is counted.
        self._behind = CountingProxy(server.url, traits=self.proxy.traits)
        self._other_client = httpx2.Client(auth=login, verify=False, trust_env=False)

    def __enter__(self) -> Self:
        self.proxy.start()
        self._behind.start()
        self._other_client.base_url = self._behind.url
        self.account = self.other_account()
        return self

    def __exit__(self, *_: object) -> None:
        for account in self._accounts:
            account.close()
        if self._removes_calendar:
            self.other_client_deletes(self.calendar)
        self._other_client.close()
        self._behind.stop()
        self.proxy.stop()

    def other_account(self, **changes: object) -> CalDavAccount:
        """One more account on the same server; `changes`: settings that differ."""
        values: dict[str, object] = {
            "name": "test",
            "url": self.proxy.url,
            "username": "alice",
            "password": self.password,
            "profile": self.profile,
            "home": self.server.home("alice"),
        }
        around = {name: changes.pop(name) for name in ("now", "servers", "passwords") if name in changes}
        settings = CalDavSettings(**(values | changes))  # type: ignore[arg-type]
        account = CalDavAccount(settings, **({"now": lambda: NOW} | around))  # type: ignore[arg-type]
        self._accounts.append(account)
        return account

    def first_reading_limit(self, events: int) -> int:
        """One listing, and multigets of a hundred."""
        return 1 + -(-events // 100) + self._asked_again

    def other_client_puts(self, name: str, body: str) -> str:
        href = f"{self.calendar}{name}.ics"
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        self._other_client.put(encoded(href), content=body.encode(), headers=headers).raise_for_status()
        return href

    def other_client_deletes(self, href: str) -> None:
        self._other_client.delete(encoded(href)).raise_for_status()

    def makes_calendar(self) -> None:
        """Once more, after somebody has removed it."""
        make_calendar(self.server.url, "alice", self.password, self.calendar, "Agenda d'essai")

    def settle(self) -> None:
        time.sleep(self._settling_time)

    def dead_cursor(self) -> str:
        prefix = {"radicale": "http://radicale.org/ns/sync/", "xandikos": ""}.get(self.server.name, "data:,")
        return cursor_at(prefix + "0123456789abcdef0123456789abcdef01234567")

    def lose_next_write_answer(self) -> None:
        self.proxy.when("PUT", Cut(forward=True))

    def account_with_wrong_password(self) -> CalDavAccount:
        return self.other_account(password="not-the-password")

    def logins_seen(self) -> int:
        return sum("authorization" in seen.headers for seen in self.proxy.seen)
