"""Writing a feed: a calendar that people subscribe to (RFC 5545, RFC 7986). Pure.

No METHOD, ORGANIZER or ATTENDEE: some readers refuse such a file, or answer it. Equal feeds give equal bytes: nothing
in them tells when they were written, only when each entry last changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.errors import OurBug
from connectors.icalendar_lines import PRODUCT_ID, cleaned, escaped, folded, one_line, utc
from connectors.records import Classification, EventStatus, EventTime, Transparency
from connectors.vtimezones import VTIMEZONES

_RULE = re.compile(r"[A-Z0-9=;,:+-]+")
_COLOR = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """What one thing is in a feed. `start`, `end` (exclusive): both dates, or both times in an IANA zone. `rule`: of a
    series, an RRULE's value in canonical form; "" of a single event. Texts may hold anything."""

    uid: str
    start: EventTime
    end: EventTime
    summary: str = field(repr=False)
    location: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    url: str = field(default="", repr=False)
    rule: str = field(default="", repr=False)
    status: EventStatus = EventStatus.CONFIRMED
    transparency: Transparency = Transparency.OPAQUE
    classification: Classification = Classification.PRIVATE


@dataclass(frozen=True, slots=True)
class Version:
    """How often an entry changed, and when last (an instant)."""

    sequence: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class FeedHead:
    """What a feed says of itself. `color`: a CSS3 name. `refresh`: how often readers may ask, whole minutes. `source`:
    where it is had (it holds the secret); "" says nothing."""

    name: str
    refresh: timedelta
    color: str
    language: str
    source: str = field(default="", repr=False)


def render_feed(head: FeedHead, entries: Iterable[tuple[FeedEntry, Version]]) -> bytes:
    """The file, entries in order of their times. Raises `OurBug` for an entry that makes no sense."""
    ordered = sorted(entries, key=lambda each: (_order(each[0].start), each[0].uid))
    zones = sorted({zone for entry, _ in ordered if (zone := _zone_of(entry)) is not None})
    return folded(
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT_ID}", "CALSCALE:GREGORIAN"),
            *_head_lines(head),
            *(line for zone in zones for line in VTIMEZONES[zone]),
            *(line for entry, version in ordered for line in _entry_lines(entry, version)),
            "END:VCALENDAR",
        ]
    )


def _head_lines(head: FeedHead) -> Iterator[str]:
    if not _COLOR.fullmatch(head.color):
        raise OurBug("The colour of a feed is no CSS name.", system="icalendar")
    name, every = escaped(one_line(head.name)), f"PT{max(1, head.refresh // timedelta(minutes=1))}M"
    yield from (f"NAME;LANGUAGE={head.language}:{name}", f"X-WR-CALNAME:{name}", f"COLOR:{head.color}")
    # Nextcloud reads the first, Outlook the second; without them some ask once a week.
    yield from (f"REFRESH-INTERVAL;VALUE=DURATION:{every}", f"X-PUBLISHED-TTL:{every}")
    if head.source:
        yield f"SOURCE;VALUE=URI:{_address(head.source)}"


def _entry_lines(entry: FeedEntry, version: Version) -> Iterator[str]:
    _checked(entry)
    stamp = utc(version.changed_at)
    yield from ("BEGIN:VEVENT", f"UID:{escaped(one_line(entry.uid))}")
    yield from (f"DTSTAMP:{stamp}", f"LAST-MODIFIED:{stamp}", f"SEQUENCE:{version.sequence}")
    zone = _zone_of(entry)
    yield from (_time("DTSTART", entry.start, zone), _time("DTEND", entry.end, zone))
    if entry.rule:
        yield f"RRULE:{entry.rule}"
    yield f"SUMMARY:{escaped(one_line(entry.summary))}"
    if location := one_line(entry.location):
        yield f"LOCATION:{escaped(location)}"
    if description := cleaned(entry.description):
        yield f"DESCRIPTION:{escaped(description)}"
    if url := _address(entry.url):
        yield f"URL:{url}"
    yield from (f"CLASS:{entry.classification}", f"STATUS:{entry.status}", f"TRANSP:{entry.transparency}", "END:VEVENT")


def _checked(entry: FeedEntry) -> None:
    start, end = entry.start, entry.end
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise OurBug("An entry starts and ends with different kinds of time.", system="icalendar")
    if any(isinstance(each, datetime) and each.tzinfo is None for each in (start, end)):
        raise OurBug("A time of an entry has no zone.", system="icalendar")
    if not _order(start) < _order(end):
        raise OurBug("An entry does not end after its start.", system="icalendar")
    if entry.rule and not _RULE.fullmatch(entry.rule):
        raise OurBug("An entry has a rule that is no RRULE.", system="icalendar")


def _zone_of(entry: FeedEntry) -> str | None:
    """The zone that an entry's times are written in; None: in UTC, or dates.

    A time that the clocks show twice names its first pass (section 3.3.5): the second one is written in UTC, as are
    times in a zone whose VTIMEZONE is not at hand. A series cannot be: it would move when the clocks change.
    """
    zone = entry.start.tzinfo if isinstance(entry.start, datetime) else None
    if not isinstance(zone, ZoneInfo) or zone.key not in VTIMEZONES:
        if entry.rule and isinstance(entry.start, datetime):
            raise OurBug("No VTIMEZONE is at hand for a series.", system="icalendar")
        return None
    told = [each.astimezone(zone) for each in (entry.start, entry.end) if isinstance(each, datetime)]
    return zone.key if all(each.replace(fold=0).astimezone(UTC) == each.astimezone(UTC) for each in told) else None


def _time(name: str, time: EventTime, zone: str | None) -> str:
    if not isinstance(time, datetime):
        return f"{name};VALUE=DATE:{time:%Y%m%d}"
    if zone is None:
        return f"{name}:{utc(time)}"
    return f"{name};TZID={zone}:{time.astimezone(ZoneInfo(zone)):%Y%m%dT%H%M%S}"


def _order(time: date | datetime) -> datetime:
    if isinstance(time, datetime):
        return time.astimezone(UTC)
    return datetime(time.year, time.month, time.day, tzinfo=UTC)


def _address(text: str) -> str:
    """An address on one line; "" for what is none, since anything else would end the value."""
    address = "".join(one_line(text).split())
    return address if address.startswith(("https://", "http://", "webcal://")) and address.isascii() else ""
