"""A feed server and a subscription to it, as a bench for the contract and for tests of this connector's own."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from connectors.hosts import exact_pattern
from connectors.ics import CALENDAR, IcsAccount, IcsSettings
from connectors.network import Network
from tests.servers.feed_server import Feed, FeedServer

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
KEY = b"key-of-the-tests"
HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//other//client//FR")
_numbers = itertools.count(1)


def text(*lines: str) -> bytes:
    return "\r\n".join([*lines, ""]).encode()


def calendar(*events: bytes, head: tuple[str, ...] = HEAD) -> bytes:
    """A file with these VEVENTs."""
    return text(*head) + b"".join(events) + text("END:VCALENDAR")


def event(uid: str, *lines: str, start: str = "20260601T070000Z", end: str = "20260601T080000Z") -> bytes:
    """A VEVENT; without UID when it is empty."""
    named = [f"UID:{uid}"] if uid else []
    times = [f"DTSTART:{start}", f"DTEND:{end}"] if start else []
    return text("BEGIN:VEVENT", *named, "DTSTAMP:20260101T000000Z", *times, *lines, "END:VEVENT")


class Memory:
    """Outlives accounts. `saves`: how often something was kept."""

    def __init__(self) -> None:
        self.kept: str | None = None
        self.saves = 0

    def load(self) -> str | None:
        return self.kept

    def save(self, text: str) -> None:
        self.kept = text
        self.saves += 1


class IcsBench:
    """A feed that others change, and accounts that read it. A context manager."""

    has_marks = True
    tells_changes = False
    keeps_unknown_zones = True
    many = 120
    calendar = CALENDAR

    def __init__(self, **details: object) -> None:
        """`details`: of the feed."""
        self.server = FeedServer()
        self.events: dict[str, bytes] = {}
        self.now = NOW
        self._details = details
        self._name = f"feed{next(_numbers)}"
        self._accounts: list[IcsAccount] = []

    def __enter__(self) -> Self:
        self.server.__enter__()
        self.feed: Feed = self.server.publish(self._name, self.file, **self._details)
        self.account = self.other_account()
        return self

    def __exit__(self, *_: object) -> None:
        for account in self._accounts:
            account.close()
        self.server.__exit__()

    def file(self) -> bytes:
        """What is published now."""
        return calendar(*self.events.values())

    def publishes(self, body: bytes, **details: object) -> Feed:
        """Another file under the same link."""
        self.feed = self.server.publish(self._name, body, **details)
        return self.feed

    def other_account(self, *, memory: Memory | None = None, url: str = "", **changes: object) -> IcsAccount:
        """One more subscription to the same feed; `changes`: settings that differ."""
        host = exact_pattern(self.server.url.split("/")[2])
        values: dict[str, object] = {"allowed_hosts": (host,), "digest_key": KEY, "network": Network(read_timeout=5)}
        made = IcsSettings(name="test", url=url or self.server.link(self._name), **(values | changes))  # type: ignore[arg-type]
        account = IcsAccount(made, now=lambda: self.now, memory=memory)
        self._accounts.append(account)
        return account

    @property
    def statuses(self) -> list[int]:
        return self.server.statuses()

    # --- for the contract --------------------------------------------------------------------------------------

    def first_reading_limit(self, events: int) -> int:
        """One file, however many there are in it."""
        _ = events
        return 1

    def other_client_puts(self, name: str, body: str) -> str:
        inner = body.split("BEGIN:VEVENT")[1].split("END:VEVENT", maxsplit=1)[0]
        self.events[name] = f"BEGIN:VEVENT{inner}END:VEVENT\r\n".encode()
        return f"{CALENDAR}/{name}.ics"

    def other_client_deletes(self, href: str) -> None:
        del self.events[Path(href).stem]

    def settle(self) -> None:
        """Nothing here counts in seconds."""

    def dead_cursor(self) -> str:
        return "a cursor of another time"
