"""iCalendar text as a calendar program writes it, from wall-clock times."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

_PARIS = """\
BEGIN:VTIMEZONE
TZID:Europe/Paris
BEGIN:DAYLIGHT
TZNAME:CEST
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
BEGIN:STANDARD
TZNAME:CET
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE
"""
_MIQUELON = """\
BEGIN:VTIMEZONE
TZID:America/Miquelon
BEGIN:DAYLIGHT
TZNAME:-02
TZOFFSETFROM:-0300
TZOFFSETTO:-0200
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3
END:DAYLIGHT
BEGIN:STANDARD
TZNAME:-03
TZOFFSETFROM:-0200
TZOFFSETTO:-0300
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11
END:STANDARD
END:VTIMEZONE
"""
_FIXED = """\
BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
TZOFFSETFROM:{offset}
TZOFFSETTO:{offset}
DTSTART:19700101T000000
END:STANDARD
END:VTIMEZONE
"""
_ZONES = {"Europe/Paris": _PARIS, "America/Miquelon": _MIQUELON} | {
    name: _FIXED.format(name=name, offset=offset)
    for name, offset in {
        "Indian/Reunion": "+0400",
        "Indian/Mayotte": "+0300",
        "America/Martinique": "-0400",
        "America/Cayenne": "-0300",
    }.items()
}


def stamp(name: str, moment: date, zone: ZoneInfo) -> str:
    """A date property: all-day for a date, else a wall-clock with its TZID."""
    if isinstance(moment, datetime):
        return f"{name};TZID={zone.key}:{moment:%Y%m%dT%H%M%S}"
    return f"{name};VALUE=DATE:{moment:%Y%m%d}"


def event_text(
    uid: str, title: str, start: date, end: date, zone: ZoneInfo, *lines: str, product: str = "-//Agenda inventé//FR"
) -> str:
    """A whole file with one VEVENT; `lines` are further properties of it."""
    vevent = "\n".join(
        [
            "BEGIN:VEVENT",
            f"UID:{uid}",
            "DTSTAMP:20260105T080000Z",
            f"SUMMARY:{title}",
            stamp("DTSTART", start, zone),
            stamp("DTEND", end, zone),
            *lines,
            "END:VEVENT",
        ]
    )
    return (f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:{product}\n{_ZONES[zone.key]}{vevent}\nEND:VCALENDAR\n").replace(
        "\n", "\r\n"
    )
