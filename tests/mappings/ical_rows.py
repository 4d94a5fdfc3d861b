"""Events written as iCalendar lines for readable tables: just enough of a reader for the rows of these tests.

Lines are separated by spaces or newlines, components by `---`. `TZ=Paris` stands for `TZID=Europe/Paris`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.records import (
    CalendarEvent,
    EventComponent,
    EventStatus,
    EventTime,
    Recurrence,
    Transparency,
)

ZONES = {
    "Paris": ZoneInfo("Europe/Paris"),
    "Reunion": ZoneInfo("Indian/Reunion"),
    "Martinique": ZoneInfo("America/Martinique"),
    "NewYork": ZoneInfo("America/New_York"),
}
PARIS = ZONES["Paris"]
NAMES = {"DTSTART", "DTEND", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS", "TRANSP", "DECLINED"}


def event(text: str) -> CalendarEvent:
    return CalendarEvent("uid", tuple(component(part) for part in text.split("---")))


def time_of(text: str, zone: str = "") -> EventTime:
    if "T" not in text:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text.removesuffix("Z"))
    if text.endswith("Z"):
        return moment.replace(tzinfo=UTC)
    return moment.replace(tzinfo=ZONES[zone]) if zone else moment


def component(text: str) -> EventComponent:
    lines: dict[str, list[tuple[list[str], str]]] = defaultdict(list)
    for line in text.split():
        head, _, value = line.partition(":")
        name, *parameters = head.split(";")
        assert name in NAMES, f"a row says {line}"
        lines[name].append((parameters, value))

    def times(name: str) -> list[EventTime]:
        found = [(zone_of(parameters), value) for parameters, value in lines[name]]
        return [time_of(each.partition("/")[0], zone) for zone, value in found for each in value.split(",")]

    periods = [
        (time_of(value.partition("/")[0], zone_of(parameters)), time_of(value.partition("/")[2], zone_of(parameters)))
        for parameters, value in lines["RDATE"]
        if "/" in value
    ]
    (start,) = times("DTSTART")
    default_end = start if isinstance(start, datetime) else start + timedelta(days=1)
    return EventComponent(
        start=start,
        end=next(iter(times("DTEND")), default_end),
        recurrence=Recurrence(
            rules=tuple(value for _, value in lines["RRULE"]),
            dates=tuple(times("RDATE")),
            period_ends=tuple(periods),
            excluded=tuple(times("EXDATE")),
        ),
        recurrence_id=next(iter(times("RECURRENCE-ID")), None),
        this_and_future=any("RANGE=THISANDFUTURE" in parameters for parameters, _ in lines["RECURRENCE-ID"]),
        status=EventStatus(next((value for _, value in lines["STATUS"]), "CONFIRMED")),
        transparency=Transparency(next((value for _, value in lines["TRANSP"]), "OPAQUE")),
        declined=bool(lines["DECLINED"]),
    )


def zone_of(parameters: list[str]) -> str:
    return next((each.removeprefix("TZ=") for each in parameters if each.startswith("TZ=")), "")
