"""A subscription as the port that the gateway knows."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.errors import ITMustAct
from connectors.icalendar_text import parse_event
from connectors.ics.faults import READ_ONLY, not_a_calendar, not_whole, only_free_busy, too_many_events
from connectors.ics.feed import FORMAT, Entry, Feed, OnlyFreeBusy, TooManyEvents, read_feed
from connectors.ics.fetching import Fetched, Fetching
from connectors.ics.memory import FeedMemory, ForgetfulFeed, Remembered, Validators
from connectors.ics.settings import IcsSettings
from connectors.ics.structure import NotACalendar, NotWhole
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

CALENDAR = "feed"
"""The identity of the one calendar that a subscription has."""

_LONGEST_REST = timedelta(minutes=15)
"""Publishers ask for hours; a meeting that is entered meanwhile would be given away."""
_WHOLE_AFTER = timedelta(days=1)
"""From time to time the file is asked for whatever it was: servers exist whose validators do not move."""
_BY_UID, _BY_CONTENT = f"{FORMAT} uid", f"{FORMAT} content"
_WRITE_REMEDY = "Let the agent's RDVs go to a calendar of another account; the subscription can still block."


def _utc_now() -> datetime:
    return datetime.now(UTC)


class IcsAccount:
    """Implements `connectors.ports.CalendarAccount` over a link to an iCalendar file. Thread-safe.

    There is one calendar, `CALENDAR`; every reading is a complete listing. An item is what stands under one UID. When
    a publisher makes up new UIDs at each download, items are told by what they say instead, from then on.

    `now` gives the current instant. `memory` keeps validators from run to run.
    """

    def __init__(
        self, settings: IcsSettings, *, now: Callable[[], datetime] = _utc_now, memory: FeedMemory | None = None
    ) -> None:
        """Raises `ITMustAct` for a link or certificate files that must not be used. Sends nothing."""
        self._settings = settings
        self._now = now
        self._memory = memory or ForgetfulFeed()
        self._fetching = Fetching(settings, now)
        self._host = settings.host
        self._lock = threading.Lock()
        self._remembered: Remembered | None = None
        self._recalled = False
        # Between a look and the reading that follows: compressed, since a thousand may wait at the same time.
        self._held: bytes | None = None
        self._known_of_feed: tuple[ServerTrait, ...] = ()

    def __repr__(self) -> str:
        return f"IcsAccount(name={self.name!r}, host={self.host!r})"

    @property
    def name(self) -> str:
        """The account's name in the configuration."""
        return self._settings.name

    @property
    def host(self) -> str:
        """`host:port` of the link."""
        return self._host

    @property
    def requests(self) -> int:
        """How many requests were sent since it was built."""
        return self._fetching.requests

    def discover(self) -> tuple[CalendarInfo, ...]:
        """The one calendar, once its file was read. It can never be written."""
        with self._lock:
            self._read_anew()
        return (CalendarInfo(CALENDAR, CALENDAR, writable=False),)

    def look(self) -> tuple[CalendarMark, ...]:
        """One conditional request; none while the server said that nothing new is to be expected (15 min at most)."""
        with self._lock:
            return (CalendarMark(CALENDAR, self._mark()),)

    def is_due(self, calendar: str, cursor: str | None) -> bool:
        """Whether items were named in a way that is no longer ours."""
        _ = calendar
        return cursor not in (_BY_UID, _BY_CONTENT)

    def changes(
        self, calendar: str, cursor: str | None, known: Mapping[str, str], scope: ReadingScope | None = None
    ) -> CalendarChanges:
        """A whole listing, of the file that the last look brought if there is one."""
        _ = scope
        self._expect(calendar)
        with self._lock:
            feed = self._feed_of_last_look() or self._read_anew()
        by_content = cursor == _BY_CONTENT or _renames(feed, known)
        entries = _named(feed, by_content=by_content)
        other = {href: entry for href, entry in entries.items() if known.get(href) != entry.version}
        return CalendarChanges(
            cursor=_BY_CONTENT if by_content else _BY_UID,
            mark=feed.mark,
            complete=True,
            items=tuple(
                _item(href, entry, by_content=by_content) for href, entry in other.items() if not entry.unreadable
            ),
            present=frozenset(entries),
            unreadable=tuple(
                (href, entry.version, entry.unreadable) for href, entry in other.items() if entry.unreadable
            ),
        )

    def read(self, calendar: str, href: str) -> CalendarItem | None:
        """One item, or None when the file, whole, does not hold it."""
        self._expect(calendar)
        with self._lock:
            feed = self._read_anew()
        for by_content in (False, True):
            entry = _named(feed, by_content=by_content).get(href)
            if entry is not None and not entry.unreadable:
                return _item(href, entry, by_content=by_content)
        return None

    def parse(self, item: CalendarItem) -> CalendarEvent | None:
        """The event in an item. Pure."""
        return parse_event(item.body, system=self.name, owner_addresses=self._settings.owner_addresses)

    def create(self, calendar: str, draft: EventDraft) -> CalendarItem:
        """Raises `ITMustAct`: a subscription is only read."""
        _ = (calendar, draft)
        raise self._read_only()

    def update(self, calendar: str, item: CalendarItem, draft: EventDraft, *, notes: bool) -> CalendarItem:
        """Raises `ITMustAct`: a subscription is only read."""
        _ = (calendar, item, draft, notes)
        raise self._read_only()

    def delete(self, calendar: str, item: CalendarItem) -> None:
        """Raises `ITMustAct`: a subscription is only read."""
        _ = (calendar, item)
        raise self._read_only()

    def put_back(self, calendar: str, href: str, body: bytes, replacing: CalendarItem | None) -> CalendarItem:
        """Raises `ITMustAct`: a subscription is only read."""
        _ = (calendar, href, body, replacing)
        raise self._read_only()

    def href_of(self, calendar: str, uid: str) -> str:
        """Where an event with this UID would be; nothing is ever written there. Pure."""
        return f"{calendar}/{uid}.ics"

    def traits(self) -> tuple[ServerTrait, ...]:
        """What is known of the publisher."""
        return (ServerTrait("access", "read only: a subscription receives nothing", "tested"), *self._known_of_feed)

    def close(self) -> None:
        """Give the connection back."""
        self._fetching.close()

    # --- reading, under the lock ------------------------------------------------------------------------------

    def _mark(self) -> str:
        last, now = self._recall(), self._now()
        if last is not None and now < last.rests_until <= now + _LONGEST_REST:
            return last.mark
        recent = last is not None and now - last.read_at < _WHOLE_AFTER
        fetched = self._fetching.get(last.validators if last is not None and recent else Validators())
        if fetched.body is None and last is not None:
            self._remember(replace(last, rests_until=now + _rest(fetched, last.refresh)))
            return last.mark
        body = fetched.body or b""
        feed = self._understood(fetched, body)
        # With an unchanged mark nobody will ask for it.
        self._held = None if last is not None and last.mark == feed.mark else zlib.compress(body, 1)
        return feed.mark

    def _feed_of_last_look(self) -> Feed | None:
        held, self._held = self._held, None
        return None if held is None else self._parsed(zlib.decompress(held))

    def _read_anew(self) -> Feed:
        self._held = None
        fetched = self._fetching.get(Validators())
        return self._understood(fetched, fetched.body or b"")

    def _understood(self, fetched: Fetched, body: bytes) -> Feed:
        """The file as read now, remembered with its validators."""
        feed = self._parsed(body)
        now = self._now()
        rests_until = now + _rest(fetched, feed.refresh)
        self._remember(Remembered(feed.mark, fetched.validators, feed.refresh, now, rests_until))
        self._known_of_feed = _portrait(fetched, feed)
        return feed

    def _parsed(self, body: bytes) -> Feed:
        settings = self._settings
        try:
            return read_feed(
                body, key=settings.digest_key, event_limit=settings.event_limit, item_limit=settings.item_limit
            )
        except NotACalendar:
            raise not_a_calendar(settings) from None
        except NotWhole as problem:
            raise not_whole(settings, str(problem)) from None
        except TooManyEvents:
            raise too_many_events(settings) from None
        except OnlyFreeBusy:
            raise only_free_busy(settings) from None

    def _recall(self) -> Remembered | None:
        if not self._recalled:
            self._remembered, self._recalled = Remembered.parse(self._memory.load()), True
        return self._remembered

    def _remember(self, new: Remembered) -> None:
        old = self._recall()
        self._remembered = new
        # A feed without validators is read whole each time: when that was is of no use to the next run.
        same = old is not None and (old.mark, old.validators) == (new.mark, new.validators)
        idle = not new.validators or (old is not None and old.read_at == new.read_at)
        if not (same and idle and new.rests_until <= self._now()):
            self._memory.save(new.dump())

    # --- errors ----------------------------------------------------------------------------------------------

    def _expect(self, calendar: str) -> None:
        if calendar != CALENDAR:
            raise ITMustAct(
                "A subscription has one calendar, and another one was asked for.",
                system=self.name,
                remedy=f"Name it {CALENDAR}. Nothing was removed.",
            )

    def _read_only(self) -> ITMustAct:
        return ITMustAct(READ_ONLY, system=self.name, remedy=_WRITE_REMEDY)


def _named(feed: Feed, *, by_content: bool) -> dict[str, Entry]:
    return {f"{CALENDAR}/{entry.by_content if by_content else entry.name}.ics": entry for entry in feed.entries}


def _item(href: str, entry: Entry, *, by_content: bool) -> CalendarItem:
    return CalendarItem(href, entry.version, entry.body(by_content=by_content))


def _renames(feed: Feed, known: Mapping[str, str]) -> bool:
    """Whether everything has another UID than at the last reading, and most of it says the same as then; or is known
    by what it says, and all of it is read from the beginning."""
    if not known or known.keys() & _named(feed, by_content=False).keys():
        return False
    if known.keys() & _named(feed, by_content=True).keys():
        return True
    versions = set(known.values())
    return 2 * sum(entry.version in versions for entry in feed.entries) > len(feed.entries)


def _rest(fetched: Fetched, refresh: timedelta) -> timedelta:
    """How long to leave it alone: what the server says of this answer, else what the publisher asks for."""
    return min(refresh if fetched.rest is None else fetched.rest, _LONGEST_REST)


def _portrait(fetched: Fetched, feed: Feed) -> tuple[ServerTrait, ...]:
    told = [name for name, text in _validators(fetched.validators) if text]
    by = " and ".join(told) or "reading it whole: it has neither ETag nor Last-Modified"
    traits = [ServerTrait("changes are found by", by, "seen"), ServerTrait("events", str(len(feed.entries)), "seen")]
    product = re.sub(r"[^\w .,:/()-]", "", feed.product)[:80].strip()
    if product:
        traits.append(ServerTrait("calls itself", product, "announced"))
    rest = _rest(fetched, feed.refresh)
    if rest:
        traits.append(ServerTrait("asked again", f"after {rest.total_seconds() / 60:g} minutes", "announced"))
    return tuple(traits)


def _validators(validators: Validators) -> tuple[tuple[str, str], ...]:
    return (("ETag", validators.etag), ("Last-Modified", validators.modified))
