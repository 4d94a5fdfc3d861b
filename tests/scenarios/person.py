"""An agent as a person: what they do in their calendar with a calendar program of their own, and what they see."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
from icalendar import Calendar, Event
from lxml import etree

from gateway.sandbox.state import State
from tests.scenarios.agenda_text import event_text

_MARKER = "X-RDV-GATEWAY"
_TAG = "Occupé · agenda"
_QUERY = (
    '<?xml version="1.0"?><C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    "<prop><getetag/><C:calendar-data/></prop>"
    '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter>'
    "</C:calendar-query>"
)
_names = itertools.count(1)

Interval = tuple[datetime, datetime]
Vevent = Any
"""An `icalendar.Event`: its properties are typed as unions of all that a property may be."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One event as a person sees it; times are wall-clock of the agent (a date for whole days)."""

    title: str
    start: date
    end: date


class Person:
    """Acts on the calendar directly, never through the gateway nor through the proxy that counts its requests."""

    def __init__(
        self, number: int, *, login: str, password: str, calendar: str, zone: ZoneInfo, server: str, state: State
    ) -> None:
        self.id = number  # the agent's in RDV-Solidarités
        self.login = login
        self.password = password
        self.calendar = calendar  # decoded path: it blocks, and receives what the gateway writes
        self.other_calendars: tuple[str, ...] = ()  # they block too
        self.zone = zone
        self._state = state
        self._dav = httpx2.Client(base_url=server, auth=(login, password), timeout=30, trust_env=False, verify=False)

    def close(self) -> None:
        self._dav.close()

    # --- what they do ------------------------------------------------------------------------------------------

    def types_event(
        self, title: str, start: date, end: date, *lines: str, uid: str = "", calendar: str | None = None
    ) -> str:
        """A new event; `lines` are further properties. Gives its address."""
        uid = uid or f"{self.login}-{next(_names)}@agenda.example"
        return self.files(event_text(uid, title, start, end, self.zone, *lines), calendar=calendar)

    def files(self, body: str, *, calendar: str | None = None, name: str = "") -> str:
        """A new file with this content; `name`: of the file, without its ending."""
        href = f"{calendar or self.calendar}{name or f'{self.login}-{next(_names)}'}.ics"
        self._put(href, body.encode(), {"If-None-Match": "*"})
        return href

    def moves(self, href: str, start: date, end: date) -> None:
        def move(event: Vevent) -> None:
            _set(event, "dtstart", self._zoned(start))
            _set(event, "dtend", self._zoned(end))

        self.edits(href, move)

    def frees(self, href: str) -> None:
        """Marks it as time that is free."""
        self.edits(href, lambda event: _set(event, "transp", "TRANSPARENT"))

    def writes(self, href: str, **properties: object) -> None:
        """Sets properties, e.g. `location="…"`."""

        def write(event: Vevent) -> None:
            for name, value in properties.items():
                _set(event, name, value)

        self.edits(href, write)

    def moves_occurrence(self, href: str, occurrence: datetime, start: datetime, end: datetime) -> None:
        """One date of a series at another time."""

        def change(calendar: Calendar) -> None:
            master = calendar.walk("VEVENT")[0]
            moved = Event()
            for name in ("uid", "dtstamp", "summary"):
                moved[name] = master[name]
            moved.add("recurrence-id", self._zoned(occurrence))
            moved.add("dtstart", self._zoned(start))
            moved.add("dtend", self._zoned(end))
            calendar.add_component(moved)

        self._rewrites(href, change)

    def cancels_occurrence(self, href: str, occurrence: datetime) -> None:
        self.edits(href, lambda event: event.add("exdate", self._zoned(occurrence)))

    def adds_occurrence(self, href: str, start: datetime) -> None:
        self.edits(href, lambda event: event.add("rdate", self._zoned(start)))

    def edits(self, href: str, change: Callable[[Vevent], Any]) -> None:
        """Changes the event (of a series: its master)."""
        self._rewrites(href, lambda calendar: change(calendar.walk("VEVENT")[0]))

    def deletes(self, href: str) -> None:
        self._dav.delete(href).raise_for_status()

    # --- what they see -----------------------------------------------------------------------------------------

    def files_by_href(self) -> dict[str, tuple[str, str]]:
        """Every file of the calendar: its ETag and its text (line ends as XML has them)."""
        headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
        answer = self._dav.request("REPORT", self.calendar, content=_QUERY.encode(), headers=headers)
        answer.raise_for_status()
        rows = etree.fromstring(answer.content).findall("{DAV:}response")
        return {
            str(httpx2.URL(row.findtext("{DAV:}href") or "").path): (
                row.findtext(".//{DAV:}getetag") or "",
                row.findtext(".//{urn:ietf:params:xml:ns:caldav}calendar-data") or "",
            )
            for row in rows
        }

    def file(self, href: str) -> bytes:
        """One file, byte for byte."""
        return self._dav.get(href).raise_for_status().content

    def event(self, href: str) -> Vevent:
        """The first event of a file."""
        return Calendar.from_ical(self.file(href)).walk("VEVENT")[0]

    def ours(self) -> dict[str, Vevent]:
        """What the gateway wrote into the calendar, by address."""
        marked = {href: text for href, (_, text) in self.files_by_href().items() if _MARKER in text}
        return {href: Calendar.from_ical(text).walk("VEVENT")[0] for href, text in marked.items()}

    def shown(self) -> list[Shown]:
        """What the gateway wrote into the calendar, in order of time."""
        found = [
            Shown(str(event["SUMMARY"]), self._wall(event["DTSTART"].dt), self._wall(event["DTEND"].dt))
            for event in self.ours().values()
        ]
        return sorted(found, key=lambda each: (str(each.start), str(each.end), each.title))

    def blocks(self) -> list[Interval]:
        """Times that the gateway keeps occupied in RDV-Solidarités."""
        return [(start, end) for title, start, end in self.absences() if title == _TAG]

    def absences(self) -> list[tuple[str, datetime, datetime]]:
        """All that makes them unavailable in RDV-Solidarités: title, start, end."""
        return [(row["title"], *_times(row)) for row in self._state.absences_of(self.id)]

    def absence_at(self, start: datetime) -> int:
        """The id of the absence that begins then."""
        (found,) = [row["id"] for row in self._state.absences_of(self.id) if _times(row)[0] == start]
        return int(found)

    # --- inside ------------------------------------------------------------------------------------------------

    def _zoned(self, moment: date) -> date:
        return moment.replace(tzinfo=self.zone) if isinstance(moment, datetime) else moment

    def _wall(self, moment: date) -> date:
        if not isinstance(moment, datetime):
            return moment
        return moment.astimezone(self.zone).replace(tzinfo=None)

    def _rewrites(self, href: str, change: Callable[[Calendar], Any]) -> None:
        answer = self._dav.get(href).raise_for_status()
        calendar = Calendar.from_ical(answer.content)
        change(calendar)
        self._put(href, calendar.to_ical(), {"If-Match": answer.headers["ETag"]})

    def _put(self, href: str, body: bytes, headers: dict[str, str]) -> None:
        kind = {"Content-Type": "text/calendar; charset=utf-8"}
        self._dav.put(href, content=body, headers=headers | kind).raise_for_status()


def _set(event: Vevent, name: str, value: object) -> None:
    event.pop(name, None)
    event.add(name, value)


def _times(row: dict[str, Any]) -> Interval:
    return (
        datetime.combine(date.fromisoformat(row["first_day"]), time.fromisoformat(row["start_time"])),
        datetime.combine(date.fromisoformat(row["end_day"]), time.fromisoformat(row["end_time"])),
    )


def utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall-clock."""
    return wall.replace(tzinfo=zone).astimezone(UTC)


def hours(start: datetime, count: float = 1) -> Interval:
    """An interval from `start` on."""
    return start, start + timedelta(hours=count)
