"""What a published calendar says, as items that a calendar server could hold: one for each UID. Pure.

Publishers write the same calendar anew at each download: stamps of that very moment (Google), counters, another
order, sometimes other UIDs. Versions are digests of what an event says, without all of that.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote

from connectors.ics.structure import CalendarText, Component, calendars_in, name_of
from connectors.zones import UnknownZone, zone_of

FORMAT = "1"
"""Changes whenever the same file would get other versions or hrefs: then it is read anew."""

# They change when nothing did, or say when something did, which versions do.
_STAMPS = frozenset({b"DTSTAMP", b"CREATED", b"LAST-MODIFIED", b"SEQUENCE", b"X-MICROSOFT-CDO-APPT-SEQUENCE"})
_TIMES = frozenset({b"DTSTART", b"DTEND", b"RECURRENCE-ID", b"RDATE", b"EXDATE"})
_FLOATING = re.compile(rb"\d{8}T\d{6}(?:/(?:\d{8}T\d{6}|P\w+))?(?:,\d{8}T\d{6}(?:/(?:\d{8}T\d{6}|P\w+))?)*")
_PLAIN_UID = re.compile(rb"[\x21-\x7e]{1,200}")
_DURATION = re.compile(rb"P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")
_SHORT = 12


class TooManyEvents(ValueError):
    """The file holds more events than the limit."""


class OnlyFreeBusy(ValueError):
    """The file says when somebody is busy, and holds no events."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What belongs together under one UID. `version`: of what it says, whatever its UID. `lines`: a VCALENDAR without
    UIDs. `name`: of its href; `by_content`: the name that it would have without its UID.

    `unreadable`: why it cannot be given; "" when it can.
    """

    uid: bytes = field(repr=False)
    name: str
    version: str
    lines: tuple[bytes, ...] = field(repr=False)
    unreadable: str = ""

    @property
    def by_content(self) -> str:
        """Equal for two events that say the same."""
        return f"content-{self.version}"

    def body(self, *, by_content: bool = False) -> bytes:
        """A calendar object resource (RFC 4791 section 4.1). `by_content`: its UID is what it says."""
        uid = self.by_content.encode() if by_content or not self.uid else self.uid
        lines = (line + (b"\r\nUID:" + uid if line == b"BEGIN:VEVENT" else b"") for line in self.lines)
        return b"\r\n".join([*lines, b""])


@dataclass(frozen=True, slots=True)
class Feed:
    """`mark`: of all that its events say; the same for the same events in another order or under other UIDs.

    `refresh`: how often the publisher asks to be read at most (RFC 7986 section 5.7); zero: it does not say.
    """

    entries: tuple[Entry, ...]
    mark: str
    refresh: timedelta
    product: str


def read_feed(body: bytes, *, key: bytes, event_limit: int, item_limit: int) -> Feed:
    """Everything in a file. Raises `NotACalendar`, `NotWhole`, `TooManyEvents`, `OnlyFreeBusy`.

    `key`: of the digests. An event of more than `item_limit` bytes is unreadable.
    """
    calendars = calendars_in(body)
    events = [
        _Event.of(event, surroundings)
        for calendar in calendars
        for surroundings in [_Surroundings.of(calendar)]
        for event in calendar.named("VEVENT")
    ]
    if len(events) > event_limit:
        raise TooManyEvents
    if not events and any(True for calendar in calendars for _ in calendar.named("VFREEBUSY")):
        raise OnlyFreeBusy
    by_uid: defaultdict[bytes, dict[tuple[bytes, ...], _Event]] = defaultdict(dict)
    for event in events:
        by_uid[event.uid][event.lines] = event  # what is there twice is there once
    entries: dict[str, Entry] = {}
    for uid, group in by_uid.items():
        for part in _parts(uid, tuple(group.values())):
            entry = part.entry(key, item_limit)
            entries[entry.name] = entry
    told = sorted(entry.version for entry in entries.values())
    return Feed(
        entries=tuple(entries.values()),
        mark=f"{FORMAT}-{_digest(key, [version.encode() for version in told])}",
        refresh=_refresh(calendars[0]),
        product=calendars[0].value(b"PRODID").decode("utf-8", "replace"),
    )


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a VCALENDAR says for all its events. `zone`: of times that name none; b"" when they float."""

    product: bytes
    zone: bytes
    zones: tuple[Component, ...]

    @classmethod
    def of(cls, calendar: CalendarText) -> _Surroundings:
        return cls(calendar.value(b"PRODID"), _default_zone(calendar), tuple(calendar.named("VTIMEZONE")))


@dataclass(frozen=True, slots=True)
class _Event:
    """One VEVENT. `lines`: what it says, without UID and stamps."""

    uid: bytes
    lines: tuple[bytes, ...]
    is_override: bool
    is_series: bool
    surroundings: _Surroundings

    @classmethod
    def of(cls, event: Component, surroundings: _Surroundings) -> _Event:
        zone = surroundings.zone
        kept = (line for line in event.lines if name_of(line) not in _STAMPS and name_of(line) != b"UID")
        return cls(
            uid=event.value(b"UID"),
            lines=tuple(_in_zone(line, zone) for line in kept),
            is_override=event.has(b"RECURRENCE-ID"),
            is_series=event.has(b"RRULE") or event.has(b"RDATE"),
            surroundings=surroundings,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """Events that make one item. `alone`: its UID does not tell it from others."""

    uid: bytes
    events: tuple[_Event, ...]
    alone: bool = False
    unreadable: str = ""

    def entry(self, key: bytes, item_limit: int) -> Entry:
        events = sorted(self.events, key=lambda event: (event.is_override, event.lines))
        said = [line for event in events for line in (b"BEGIN:VEVENT", *event.lines, b"END:VEVENT")]
        zones = list(_zones(events))
        version = _digest(key, [*zones, *said])
        unreadable = self.unreadable
        if sum(map(len, said)) > item_limit:
            unreadable = f"it is larger than {item_limit:,} bytes: shorten its notes, or remove its attachments"
        # Who made it tells copies of RDV-Solidarités' own, and may change with each release of a publisher.
        product = b"PRODID:" + events[0].surroundings.product
        lines = (b"BEGIN:VCALENDAR", b"VERSION:2.0", product, *zones, *said, b"END:VCALENDAR")
        return Entry(self.uid, self._name(version), version, () if unreadable else lines, unreadable)

    def _name(self, version: str) -> str:
        if not self.uid:
            return f"content-{version}"
        name = quote(self.uid, safe="@") if _PLAIN_UID.fullmatch(self.uid) else _public_digest(self.uid)
        return f"{name}~{version[:_SHORT]}" if self.alone else name


def _parts(uid: bytes, events: Sequence[_Event]) -> Iterator[_Part]:
    """Master and overrides together; what shares a UID without being one series, each for itself."""
    if not uid:
        yield from (_Part(uid, (event,)) for event in events)
        return
    masters = [event for event in events if not event.is_override]
    overrides = tuple(event for event in events if event.is_override)
    if len(masters) <= 1:
        yield _Part(uid, tuple(events))
        return
    series = [event for event in masters if event.is_series]
    if overrides and len(series) != 1:
        yield _Part(uid, tuple(events), unreadable="several events share its UID, and so do exceptions of one of them")
        return
    for event in masters:
        if overrides and event is series[0]:
            yield _Part(uid, (event, *overrides))
        else:
            yield _Part(uid, (event,), alone=True)


# --- lines ---------------------------------------------------------------------------------------------------


def _default_zone(calendar: CalendarText) -> bytes:
    """The zone of times that name none: X-WR-TIMEZONE where it can be resolved, else b"".

    RFC 5545 lets such a time float with whoever reads it. Google and Outlook write none; who does (booking tools,
    club sites, home-made exports) means the calendar's own zone, and Google and Apple read it so. Times in UTC stay
    what they are, whatever that property says.
    """
    name = calendar.value(b"X-WR-TIMEZONE")
    try:
        zone_of(name.decode("ascii"), None, 2000)
    except (UnknownZone, UnicodeDecodeError):
        return b""
    return name


def _in_zone(line: bytes, zone: bytes) -> bytes:
    if not zone or name_of(line) not in _TIMES:
        return line
    head, _, value = line.partition(b":")
    if b"TZID" in head.upper() or not _FLOATING.fullmatch(value.strip().upper()):
        return line
    return head + b";TZID=" + zone + b":" + value


def _zones(events: Iterable[_Event]) -> Iterator[bytes]:
    """The lines of each VTIMEZONE that these events name, once."""
    met: set[tuple[bytes, ...]] = set()
    for event in events:
        heads = [line for line in event.lines if name_of(line) in _TIMES]
        for zone in event.surroundings.zones:
            name = zone.value(b"TZID")
            if zone.lines in met or not name or not any(name in head for head in heads):
                continue
            met.add(zone.lines)
            yield b"BEGIN:VTIMEZONE"
            yield from (line for line in zone.lines if name_of(line) not in _STAMPS)
            yield b"END:VTIMEZONE"


def _digest(key: bytes, lines: Iterable[bytes]) -> str:
    return hmac.new(key, b"\n".join(lines), hashlib.sha256).hexdigest()[:32]


def _public_digest(uid: bytes) -> str:
    return f"uid-{hashlib.sha256(uid).hexdigest()[:32]}"


def _refresh(calendar: CalendarText) -> timedelta:
    for name in (b"REFRESH-INTERVAL", b"X-PUBLISHED-TTL"):
        match = _DURATION.fullmatch(calendar.value(name).upper())
        if match is not None:
            weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
            return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return timedelta()
