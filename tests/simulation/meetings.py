"""Events that persons make: what they mean, written as iCalendar, and when they take place by code of our own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.icalendar_text import parse_event
from connectors.records import EventStatus, Transparency
from tests.simulation.rules import OfficeRules

NO_RULES = OfficeRules()

PRIVATE_WORD = "Xyloglyphe"
"""Stands in every text of a calendar-born event, among its categories too: it must never leave the calendar."""


class Occurrence(NamedTuple):
    """Busy time: wall-clock of the agent. Named as (uid, original start). `label`: what its blocks are called."""

    uid: str
    original: str
    start: datetime
    end: datetime
    label: str = ""


@dataclass(frozen=True, slots=True)
class Exceptional:
    """An occurrence of a series that is not as the rule says."""

    start: datetime
    length: timedelta
    free: bool = False


@dataclass(slots=True)
class Meeting:
    """A person's event. `start`: wall-clock in `zone`. `every`: days between occurrences, 0 for a single event."""

    uid: str
    zone: ZoneInfo
    start: datetime
    length: timedelta
    title: str
    all_day: bool = False
    free: bool = False
    every: int = 0
    times: int = 1
    added: tuple[datetime, ...] = ()
    excluded: frozenset[datetime] = frozenset()
    moved: dict[datetime, Exceptional] = field(default_factory=dict)
    marker: str = ""  # of ours, kept when a person copies an event of ours
    alarm: bool = False
    tentative: bool = False
    category: str = ""

    def starts(self) -> tuple[datetime, ...]:
        """Original starts of a series, those excluded left out."""
        ruled = [self.start + timedelta(days=self.every * step) for step in range(self.times if self.every else 1)]
        return tuple(each for each in (*ruled, *self.added) if each not in self.excluded)

    def occurrences(self, zone: ZoneInfo, rules: OfficeRules = NO_RULES) -> list[Occurrence]:
        """When it makes somebody in `zone` busy who is under these rules: whole, whatever their hours."""
        found = []
        for original in self.starts():
            actual = self.moved.get(original, Exceptional(original, self.length, self.free))
            if actual.free or not rules.blocks(self, actual.length):
                continue
            name = original.isoformat() if self.every else ""
            found.append(Occurrence(self.uid, name, *self._span(actual, zone), rules.label(self)))
        return found

    def _span(self, actual: Exceptional, zone: ZoneInfo) -> tuple[datetime, datetime]:
        end = actual.start + actual.length
        if self.all_day:
            return actual.start, end - timedelta(minutes=1)
        return tuple(
            wall.replace(tzinfo=self.zone).astimezone(zone).replace(tzinfo=None) for wall in (actual.start, end)
        )  # type: ignore[return-value]

    def text(self) -> bytes:
        """The file that the person's program writes."""
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//agenda//FR", *self._event(None)]
        for original in sorted(self.moved):
            if original in self.starts():
                lines += self._event(original)
        return "".join(f"{line}\r\n" for line in (*lines, "END:VCALENDAR")).encode()

    def _event(self, original: datetime | None) -> list[str]:
        actual = Exceptional(self.start, self.length, self.free) if original is None else self.moved[original]
        lines = ["BEGIN:VEVENT", f"UID:{self.uid}", "DTSTAMP:20250101T000000Z"]
        lines += [self._time("DTSTART", actual.start), self._time("DTEND", actual.start + actual.length)]
        if original is not None:
            lines.append(self._time("RECURRENCE-ID", original))
        elif self.every:
            lines.append(f"RRULE:FREQ=DAILY;INTERVAL={self.every};COUNT={self.times}")
            lines += [self._time("RDATE", each) for each in self.added]
            lines += [self._time("EXDATE", each) for each in sorted(self.excluded)]
        lines += [f"SUMMARY:{self.title}", f"LOCATION:{PRIVATE_WORD} street"]
        lines.append(f"TRANSP:{'TRANSPARENT' if actual.free else 'OPAQUE'}")
        if self.tentative:
            lines.append("STATUS:TENTATIVE")
        lines.append(f"CATEGORIES:{','.join(filter(None, (PRIVATE_WORD, self.category)))}")
        lines += [f"DESCRIPTION:with {PRIVATE_WORD}", f"ATTENDEE;CN={PRIVATE_WORD}:mailto:{PRIVATE_WORD}@example.test"]
        if self.marker:
            lines.append(f"X-RDV-GATEWAY:{self.marker}")
        if self.alarm:
            lines += ALARM.decode().split()
        return [*lines, "END:VEVENT"]

    def _time(self, name: str, wall: datetime) -> str:
        if self.all_day:
            return f"{name};VALUE=DATE:{wall:%Y%m%d}"
        if self.zone.key == "UTC":
            return f"{name}:{wall:%Y%m%dT%H%M%S}Z"
        return f"{name};TZID={self.zone.key}:{wall:%Y%m%dT%H%M%S}"


ALARM = b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"


def copied_by_hand(body: bytes, uid: str, marker: str) -> Meeting | None:
    """The event that a person gets who copies one of ours: another UID, the marker kept. None for a series."""
    event = parse_event(body, system="model")
    if event is None or event.components[0].recurrence:
        return None
    it = event.components[0]
    utc = ZoneInfo("UTC")
    free = it.transparency is Transparency.TRANSPARENT or it.status is EventStatus.CANCELLED
    title = f"{PRIVATE_WORD} copy"
    if not isinstance(it.start, datetime) or not isinstance(it.end, datetime):
        start = datetime(it.start.year, it.start.month, it.start.day)
        return Meeting(uid, utc, start, it.end - it.start, title, all_day=True, free=free, marker=marker)
    start, end = (each.astimezone(UTC).replace(tzinfo=None) for each in (it.start, it.end))
    return Meeting(uid, utc, start, end - start, title, free=free, marker=marker)


def with_times(body: bytes, start: datetime, end: datetime) -> bytes:
    """An event of ours whose times a person changed. `start`, `end`: UTC."""
    for name, moment in ((b"DTSTART", start), (b"DTEND", end)):
        body = re.sub(rb"(?m)^%s[;:][^\r\n]*" % name, name + f":{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}".encode(), body)
    return body


def with_title(body: bytes, title: str) -> bytes:
    """An event of ours whose title a person changed."""
    return re.sub(rb"(?m)^SUMMARY:[^\r\n]*(\r\n[ \t][^\r\n]*)*", b"SUMMARY:" + title.encode(), body)


def with_alarm(body: bytes) -> bytes:
    """An event of ours to which a person added a reminder."""
    return body if ALARM in body else body.replace(b"END:VEVENT", ALARM + b"END:VEVENT", 1)


def moved_by(meeting: Meeting, shift: timedelta) -> Meeting:
    """The same meeting at another time; what was said of single occurrences moves with it."""
    return replace(
        meeting,
        start=meeting.start + shift,
        added=tuple(each + shift for each in meeting.added),
        excluded=frozenset(each + shift for each in meeting.excluded),
        moved={
            each + shift: replace(exceptional, start=exceptional.start + shift)
            for each, exceptional in meeting.moved.items()
        },
    )
