"""iCalendar files of other people: those that installed packages bring along for their own tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import files
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.icalendar_text import parse_event
from connectors.records import CalendarEvent
from mappings.recurrence import occurrences
from mappings.times import dump_times, load_times, times_of

PACKAGES = ("icalendar", "recurring-ical-events")
PARIS = ZoneInfo("Europe/Paris")

_EVENT = re.compile(rb"^BEGIN:VEVENT\r?\n.*?^END:VEVENT\r?\n?", re.DOTALL | re.MULTILINE)
_ZONE = re.compile(rb"^BEGIN:VTIMEZONE\r?\n.*?^END:VTIMEZONE\r?\n?", re.DOTALL | re.MULTILINE)
_UID = re.compile(rb"^UID[^:\r\n]*:([^\r\n]*)", re.MULTILINE)


def foreign_files() -> dict[str, bytes]:
    """Package and path -> content; a file with several events once as it is and once event by event, as a calendar
    server keeps them."""
    found: dict[str, bytes] = {}
    for package in PACKAGES:
        for path in files(package) or []:
            if path.suffix in (".ics", ".ical"):
                body = Path(str(path.locate())).read_bytes()
                found[str(path)] = body
                found |= {f"{path} {number}": part for number, part in enumerate(_parts(body))}
    return found


def _parts(body: bytes) -> Iterator[bytes]:
    by_uid: dict[bytes, list[bytes]] = {}
    for event in _EVENT.findall(body):
        uid = _UID.search(event)
        by_uid.setdefault(uid[1] if uid else b"", []).append(event)
    if len(by_uid) > 1:
        zones = b"".join(_ZONE.findall(body))
        for events in by_uid.values():
            yield b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + zones + b"".join(events) + b"END:VCALENDAR\r\n"


def expanded(body: bytes) -> int:
    """How many occurrences a file has in the year from its start on and in 2026, read as from a server. Raises
    `BadItem`; anything else is a fault of ours."""
    event = parse_event(body, system="foreign", owner_addresses=("agent@departement.example",))
    if event is None:
        return 0
    times = times_of(event)
    assert load_times(dump_times(times)) == times
    begins = (_beginning(event), datetime(2026, 1, 1, tzinfo=UTC))
    return sum(len(occurrences(times, begin, begin + timedelta(days=366), PARIS)) for begin in begins)


def _beginning(event: CalendarEvent) -> datetime:
    start = event.components[0].start
    day = start.date() if isinstance(start, datetime) else start
    return datetime.combine(min(max(day, date(1, 1, 5)), date(9998, 1, 1)), time.min, UTC)
