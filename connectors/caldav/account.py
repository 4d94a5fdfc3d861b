"""A CalDAV account as the port that the gateway knows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime, timedelta

from connectors.caldav.asking import Asking
from connectors.caldav.door import Door
from connectors.caldav.memory import ForgetfulPassword, PasswordMemory
from connectors.caldav.package import Package
from connectors.caldav.paths import decoded
from connectors.caldav.polling import Polling
from connectors.caldav.portrait import portrait
from connectors.caldav.principals import PrincipalSearch
from connectors.caldav.reading import Reading
from connectors.caldav.servers import Servers
from connectors.caldav.settings import CalDavSettings
from connectors.caldav.writing import Writing
from connectors.icalendar_text import parse_event
from connectors.records import (
    CalendarChanges,
    CalendarEvent,
    CalendarInfo,
    CalendarItem,
    CalendarMark,
    EventDraft,
    ReadingScope,
    ServerTrait,
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class CalDavAccount:
    """Implements `connectors.ports.CalendarAccount` over CalDAV.

    Reads with requests of its own on kept connections, since polling is what a gateway does all day; finds the
    calendar home and writes through the caldav package. Thread-safe.

    `now` gives the current instant. `servers`: shared by the accounts of one application, since accounts on one
    server wait for each other there. `passwords` remembers from run to run that the password was refused.
    """

    def __init__(
        self,
        settings: CalDavSettings,
        *,
        now: Callable[[], datetime] = _utc_now,
        servers: Servers | None = None,
        passwords: PasswordMemory | None = None,
    ) -> None:
        """Raises `ITMustAct` for an address or certificate files that must not be used. Sends nothing."""
        self._settings = settings
        self._url = settings.checked_url()
        servers = servers or Servers(now=now)
        self._server = servers.at(self.host, settings.profile, most_at_a_time=settings.max_connections)
        self._door = Door(
            self._server,
            passwords or ForgetfulPassword(),
            system=settings.name,
            owned_by_it=settings.owned_by_it,
            now=now,
        )
        self._polling = Polling(settings, self._door)
        self._package = Package(settings, self._door)
        self._reading = Reading(settings, Asking(settings, self._polling, self._server, now))
        self._writing = Writing(settings, self._package, self._reading, now)
        self._home = decoded(settings.home) if settings.home else None
        self._finding_home = threading.Lock()
        self._now = now
        self._owners = {
            calendar.rstrip("/"): frozenset(address.lower() for address in addresses)
            for calendar, addresses in settings.owner_addresses.items()
        }

    def __repr__(self) -> str:
        return f"CalDavAccount(name={self.name!r}, host={self.host!r})"

    @property
    def name(self) -> str:
        """The account's name in the configuration."""
        return self._settings.name

    @property
    def host(self) -> str:
        """`host:port` of the server."""
        return f"{self._url.host}:{self._url.port or (443 if self._url.scheme == 'https' else 80)}"

    @property
    def clock_offset(self) -> timedelta | None:
        """See `connectors.ports.TellsTime`."""
        return self._door.clock_offset

    @property
    def requests(self) -> int:
        """How many requests were sent since it was built, by both libraries."""
        return self._door.requests

    def at_home(self, home: str) -> CalDavAccount:
        """The same credentials, connections and limits on another calendar home (its decoded path). Sends nothing.

        A home may be a single calendar, for one that is shared without its home. It is closed with this account.
        """
        other = copy(self)
        other._home = decoded(home)  # noqa: SLF001 - a copy of our own
        other._finding_home = threading.Lock()  # noqa: SLF001 - likewise
        return other

    def homes_of(self, email: str) -> tuple[str, ...]:
        """The calendar homes of whoever has this address, as far as the server tells this account; see
        `connectors.caldav.principals`."""
        return PrincipalSearch(self._settings, self._polling, self._now).homes_of(email)

    def discover(self) -> tuple[CalendarInfo, ...]:
        """All calendars of the account that take events."""
        return self._reading.calendars(self._found_home())

    def look(self) -> tuple[CalendarMark, ...]:
        """One request (and discovery before the first, when the configuration does not name the home)."""
        return self._reading.look(self._found_home())

    def is_due(self, calendar: str, cursor: str | None) -> bool:
        """Whether all of a calendar is to be listed again, whatever its mark says."""
        return self._reading.is_due(calendar, cursor)

    def changes(
        self, calendar: str, cursor: str | None, known: Mapping[str, str], scope: ReadingScope | None = None
    ) -> CalendarChanges:
        """What changed since `cursor`, or a proven listing."""
        return self._reading.changes(calendar, cursor, known, scope)

    def read(self, calendar: str, href: str) -> CalendarItem | None:
        """One item, or None when it is proven gone."""
        return self._reading.read(calendar, href)

    def parse(self, item: CalendarItem) -> CalendarEvent | None:
        """The event in an item. Pure."""
        owners = self._owners.get(item.href.rpartition("/")[0], frozenset())
        return parse_event(item.body, system=self.name, owner_addresses=owners)

    def create(self, calendar: str, draft: EventDraft) -> CalendarItem:
        """Write a new item at `<uid>.ics`."""
        return self._writing.create(calendar, self.href_of(calendar, draft.uid), draft)

    def update(self, calendar: str, item: CalendarItem, draft: EventDraft, *, notes: bool) -> CalendarItem:
        """Make our fields of `item` what `draft` says."""
        return self._writing.update(calendar, item, draft, notes=notes)

    def delete(self, calendar: str, item: CalendarItem) -> None:
        """Remove `item`."""
        self._writing.delete(calendar, item)

    def put_back(self, calendar: str, href: str, body: bytes, replacing: CalendarItem | None) -> CalendarItem:
        """Make an item what it once was, byte for byte."""
        return self._writing.put_back(calendar, href, body, replacing)

    def href_of(self, calendar: str, uid: str) -> str:
        """Where `create` puts a draft with this UID. Pure."""
        return f"{calendar.rstrip('/')}/{uid}.ics"

    def traits(self) -> tuple[ServerTrait, ...]:
        """What is known of the server."""
        return portrait(self._settings.profile, self._server.findings, self._server.concurrency.limit)

    def close(self) -> None:
        """Give connections back."""
        self._polling.close()
        self._package.close()

    def _found_home(self) -> str:
        with self._finding_home:
            if self._home is None:
                self._home = self._package.find_home()
            return self._home
