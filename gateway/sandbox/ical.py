"""The `ical` text of an absence: a whole VCALENDAR as the real server writes it, its habits included.

METHOD is PUBLISH, SEQUENCE always 0, the UID contains a space and an accented letter, and the rule is written as it is
stored (trailing `;`, UNTIL without Z).
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

_FOLD_AT = 75  # octets, RFC 5545 section 3.1


def absence_uid(absence_id: int) -> str:
    return f"absence_{absence_id}@RDV Solidarités"


def absence_calendar(
    *, absence_id: int, title: str, start: datetime, end: datetime, zone: str, rrule: str | None, stamp: datetime
) -> str:
    """`start` and `end` are wall-clocks of `zone`; `stamp` is an aware instant."""
    moment = "%Y%m%dT%H%M%S"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:RDV Solidarités",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        *_time_zone(zone, start),
        "BEGIN:VEVENT",
        f"DTSTAMP:{stamp.strftime(moment)}Z",
        f"UID:{absence_uid(absence_id)}",
        f"DTSTART;TZID={zone}:{start.strftime(moment)}",
        f"DTEND;TZID={zone}:{end.strftime(moment)}",
        "CLASS:PRIVATE",
        *([f"RRULE:{rrule}"] if rrule else []),
        "SEQUENCE:0",
        f"SUMMARY:RDV Solidarités {_escaped(title)}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(_folded(line) + "\r\n" for line in lines)


def _time_zone(zone: str, at: datetime) -> list[str]:
    """A VTIMEZONE: Europe/Paris with both its rules, any other zone by its offset at `at`."""
    if zone == "Europe/Paris":
        return [
            "BEGIN:VTIMEZONE",
            "TZID:Europe/Paris",
            "BEGIN:DAYLIGHT",
            "TZOFFSETFROM:+0100",
            "TZOFFSETTO:+0200",
            "TZNAME:CEST",
            "DTSTART:19810329T020000",
            "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
            "END:DAYLIGHT",
            "BEGIN:STANDARD",
            "TZOFFSETFROM:+0200",
            "TZOFFSETTO:+0100",
            "TZNAME:CET",
            "DTSTART:19961027T030000",
            "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
            "END:STANDARD",
            "END:VTIMEZONE",
        ]
    offset = at.replace(tzinfo=ZoneInfo(zone)).strftime("%z")
    return [
        "BEGIN:VTIMEZONE",
        f"TZID:{zone}",
        "BEGIN:STANDARD",
        f"TZOFFSETFROM:{offset}",
        f"TZOFFSETTO:{offset}",
        "DTSTART:19700101T000000",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]


def _escaped(text: str) -> str:
    """TEXT of RFC 5545 section 3.3.11."""
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n"), ("\n", "\\n"), ("\r", "\\n")):
        text = text.replace(plain, written)
    return text


def _folded(line: str) -> str:
    pieces: list[str] = []
    piece, octets = "", 0
    for character in line:
        size = len(character.encode())
        if octets + size > _FOLD_AT:
            pieces.append(piece)
            piece, octets = " ", 1
        piece += character
        octets += size
    return "\r\n".join([*pieces, piece])
