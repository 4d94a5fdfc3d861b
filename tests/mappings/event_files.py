"""Rows of the table of events as iCalendar files, so that a row is read as a file from a server is.

In a row, lines are separated by spaces and components by `---`; what is not a VEVENT begins with its name. `TZ=Paris`
stands for the TZID of `ZONES`, and brings its VTIMEZONE along where it has one; `DECLINED:1` for the answer of the
calendar's owner, `DECLINED:2` for the answer of somebody else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OWNER = "agent@departement.example"

_DATE = re.compile(r"\d{8}(,\d{8})*")
_PERIOD = re.compile(r"[^,]+/.+")
_OTHER = ("VTODO", "VJOURNAL", "VFREEBUSY")
_ATTENDEES = {"1": OWNER, "2": "somebody@else.example"}


@dataclass(frozen=True, slots=True)
class ZoneName:
    """How a file names a zone, and how it defines it."""

    tzid: str
    observances: tuple[tuple[str, str, str, str], ...] = ()  # DTSTART, TZOFFSETFROM, TZOFFSETTO, RRULE

    def lines(self) -> list[str]:
        parts = [
            line
            for start, before, after, rule in self.observances
            for line in (
                "BEGIN:STANDARD",
                *(f"DTSTART:{start}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}"),
                *([f"RRULE:{rule}"] if rule else []),
                "END:STANDARD",
            )
        ]
        return ["BEGIN:VTIMEZONE", f"TZID:{self.tzid}", *parts, "END:VTIMEZONE"] if parts else []


_DISPLAY_NAME = "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris"
_CENTRAL_EUROPE = (
    ("16011028T030000", "+0200", "+0100", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"),
    ("16010325T020000", "+0100", "+0200", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"),
)

ZONES = {
    "Paris": ZoneName("Europe/Paris"),
    "NewYork": ZoneName("America/New_York"),
    "Reunion": ZoneName("Indian/Reunion"),
    "Mayotte": ZoneName("Indian/Mayotte"),
    "Martinique": ZoneName("America/Martinique"),
    "Cayenne": ZoneName("America/Cayenne"),
    "Miquelon": ZoneName("America/Miquelon"),
    "Lower": ZoneName("europe/paris"),
    "Windows": ZoneName("Romance Standard Time"),
    "WindowsCayenne": ZoneName("SA Eastern Standard Time"),
    "Display": ZoneName(_DISPLAY_NAME),
    "DisplayFrench": ZoneName("(UTC+01:00) Bruxelles, Copenhague, Madrid, Paris"),
    "Vendor": ZoneName("/citadel.org/20210210_1/Europe/Paris"),
    "Custom": ZoneName("Heure de Lille", _CENTRAL_EUROPE),
    "CustomFixed": ZoneName("Heure fixe", (("19700101T000000", "+0400", "+0400", ""),)),
    "Cut": ZoneName("Europe/Paris", (("19700101T000000", "+0000", "+0000", ""),)),
    "Swapped": ZoneName(_DISPLAY_NAME, (("19700101T000000", "+0400", "+0400", ""),)),
    "Nowhere": ZoneName("Nowhere"),
    "Strange": ZoneName("Heure du bureau", (("19700101T000000", "+0017", "+0017", ""),)),
}  # fmt: skip


def file_of(row: str, uid: str = "row") -> bytes:
    """The iCalendar file (RFC 5545) that a row means."""
    named = dict.fromkeys(re.findall(r"TZ=(\w+)", row))
    zones = [line for name in named for line in ZONES[name].lines()]
    parts = [line for part in row.split("---") for line in _component(part, uid)]
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//table of events//FR", *zones]
    return "\r\n".join([*head, *parts, "END:VCALENDAR", ""]).encode()


def _component(part: str, uid: str) -> list[str]:
    words = part.split()
    kind = words.pop(0) if words[0] in _OTHER else "VEVENT"
    head = [f"BEGIN:{kind}", f"UID:{uid}", "DTSTAMP:20260101T000000Z", "SUMMARY:x"]
    return [*head, *(_line(word) for word in words), f"END:{kind}"]


def _line(word: str) -> str:
    head, _, value = word.partition(":")
    if head == "DECLINED":
        return f"ATTENDEE;PARTSTAT=DECLINED:mailto:{_ATTENDEES[value]}"
    name, *parameters = head.split(";")
    parameters = [_parameter(each) for each in parameters]
    if name.startswith(("DT", "RDATE", "EXDATE", "RECURRENCE-ID")) and _DATE.fullmatch(value):
        parameters.insert(0, "VALUE=DATE")
    elif name == "RDATE" and _PERIOD.fullmatch(value):
        parameters.insert(0, "VALUE=PERIOD")
    return ";".join([name, *parameters]) + f":{value}"


def _parameter(text: str) -> str:
    if not text.startswith("TZ="):
        return text
    tzid = ZONES[text.removeprefix("TZ=")].tzid
    return f'TZID="{tzid}"' if set(tzid) & set(":;,") else f"TZID={tzid}"
