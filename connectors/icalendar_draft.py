"""Writing an event of ours as an iCalendar file (RFC 5545), and changing our part of one that people edited. Pure.

Never an ORGANIZER, an ATTENDEE or a METHOD: each of them makes some server send mail, or refuse. A VALARM only in a new
file and only if it is asked for, never one that sends anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.errors import BadItem, OurBug
from connectors.icalendar_lines import PRODUCT_ID, cleaned, escaped, fold, folded, one_line, utc
from connectors.icalendar_text import decode_text
from connectors.records import EventDraft, EventTime
from connectors.vtimezones import VTIMEZONES

MARKER_PROPERTY = "X-RDV-GATEWAY"

_RULE = re.compile(r"[A-Z0-9=;,:+-]+")
_COLOR = re.compile(r"[a-z]*")

# What `draft` decides. Outlook's copies of our properties go with them: they would say the opposite for ever.
_OURS = frozenset(
    {
        *("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE"),
        *("SUMMARY", "LOCATION", "URL", "STATUS", "TRANSP", "CLASS", MARKER_PROPERTY),
        *("SEQUENCE", "DTSTAMP", "LAST-MODIFIED"),
        *("X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-ALLDAYEVENT"),
    }
)
_NOTES = frozenset({"DESCRIPTION", "X-ALT-DESC"})
_PLACE_COPIES = frozenset({"X-APPLE-STRUCTURED-LOCATION", "GEO"})


def render_draft(draft: EventDraft, *, now: datetime) -> bytes:
    """`draft` as a new file. `now`: an instant, for DTSTAMP. Raises `OurBug` for a draft that makes no sense."""
    _checked(draft)
    return folded(
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT_ID}", "CALSCALE:GREGORIAN"),
            *_zone_lines(draft),
            "BEGIN:VEVENT",
            f"UID:{escaped(one_line(draft.uid))}",
            *_our_lines(draft, now=now, sequence=0, notes=True),
            *_new_lines(draft),
            *("END:VEVENT", "END:VCALENDAR"),
        ]
    )


def patch_draft(body: bytes, draft: EventDraft, *, now: datetime, notes: bool, system: str) -> bytes:
    """`body` with our properties as `draft` says and SEQUENCE one higher; all else stays as it is.

    Overrides of single occurrences go when `draft` does not recur, since nothing is left for them to override.
    Raises `BadItem` when no event of ours is left in `body`, `OurBug` for a draft that makes no sense.
    """
    _checked(draft)
    lines = _placed(decode_text(body))
    events = _events(lines)
    master = next((event for event in events if not any(line.name == "RECURRENCE-ID" for line in event)), None)
    if master is None:
        raise BadItem("A copy holds no event that could be changed.", system=system)
    dropped = _superseded(master, draft, notes=notes)
    if not draft.recurrence:
        dropped |= {id(line) for event in events if event is not master for line in event}
    kept_zones = {line.value for line in lines if line.name == "TZID"}
    ours = [fold(line) for line in _our_lines(draft, now=now, sequence=_sequence(master) + 1, notes=notes)]
    result: list[str] = []
    for line in lines:
        if id(line) in dropped or (line.path == ("VCALENDAR",) and line.name == "METHOD"):
            continue
        if line is events[0][0] and _zone_of(draft) not in kept_zones:
            result += _zone_lines(draft)
        result.append(line.raw)
        if line is master[0]:
            result += ours
    return ("\r\n".join(result) + "\r\n").encode()


def is_organised(body: bytes) -> bool:
    """Whether a file holds an event with an ORGANIZER or an ATTENDEE: writing or removing it may send mail."""
    return any(
        line.name in ("ORGANIZER", "ATTENDEE") and line.path[1:2] == ("VEVENT",) and len(line.path) == 2
        for line in _placed(decode_text(body))
    )


# --- our lines -----------------------------------------------------------------------------------------------


def _checked(draft: EventDraft) -> None:
    start, end = draft.start, draft.end
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise OurBug("A draft starts and ends with different kinds of time.", system="icalendar")
    if isinstance(start, datetime) and isinstance(end, datetime) and (start.tzinfo is None) != (end.tzinfo is None):
        raise OurBug("Only one of the times of a draft has a zone.", system="icalendar")
    if end < start or (end == start and not isinstance(start, datetime)):
        raise OurBug("A draft ends before it starts.", system="icalendar")
    if not all(_RULE.fullmatch(rule) for rule in draft.recurrence.rules):
        raise OurBug("A draft holds a rule that is no RRULE.", system="icalendar")
    if not _COLOR.fullmatch(draft.color):
        raise OurBug("The colour of a draft is no CSS name.", system="icalendar")
    zone = _zone_of(draft)
    if zone is not None and zone not in VTIMEZONES:
        raise OurBug(f"No VTIMEZONE is at hand for {zone}.", system="icalendar")


def _zone_of(draft: EventDraft) -> str | None:
    """The zone that the times are written in; None for UTC, dates and floating times.

    A single event is written in UTC, which every program shows right. A series needs its zone, or it would move by
    an hour at each change of clocks.
    """
    zone = draft.start.tzinfo if isinstance(draft.start, datetime) else None
    return zone.key if isinstance(zone, ZoneInfo) and draft.recurrence and zone.key != "UTC" else None


def _zone_lines(draft: EventDraft) -> tuple[str, ...]:
    zone = _zone_of(draft)
    return () if zone is None else VTIMEZONES[zone]


def _our_lines(draft: EventDraft, *, now: datetime, sequence: int, notes: bool) -> Iterator[str]:
    stamp = utc(now)
    yield from (f"DTSTAMP:{stamp}", f"LAST-MODIFIED:{stamp}", f"SEQUENCE:{sequence}")
    zone = _zone_of(draft)
    yield _times("DTSTART", [draft.start], zone)
    yield _times("DTEND", [draft.end], zone)
    yield from _recurrence_lines(draft, zone)
    yield f"SUMMARY:{escaped(one_line(draft.summary))}"
    if draft.location:
        yield f"LOCATION:{escaped(one_line(draft.location))}"
    if notes and draft.description:
        yield f"DESCRIPTION:{escaped(cleaned(draft.description))}"
    if draft.url:
        yield f"URL:{''.join(one_line(draft.url).split())}"
    yield from (f"CLASS:{draft.classification}", f"STATUS:{draft.status}", f"TRANSP:{draft.transparency}")
    yield f"{MARKER_PROPERTY}:{escaped(one_line(draft.marker))}"


def _new_lines(draft: EventDraft) -> Iterator[str]:
    """What a new event is given once, and an update never touches."""
    category = escaped(one_line(draft.category))
    if category:
        yield f"CATEGORIES:{category}"
    if draft.color:
        yield f"COLOR:{draft.color}"
    if draft.reminder is not None:
        text = escaped(one_line(draft.reminder.text))
        yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{text}")
        yield from (f"TRIGGER:-PT{max(0, draft.reminder.minutes_before)}M", "END:VALARM")


def _recurrence_lines(draft: EventDraft, zone: str | None) -> Iterator[str]:
    recurrence = draft.recurrence
    yield from (f"RRULE:{rule}" for rule in recurrence.rules)
    ends = dict(recurrence.period_ends)
    single = [time for time in recurrence.dates if time not in ends]
    if single:
        yield _times("RDATE", single, zone)
    for start, end in ends.items():
        # A period's times are written in UTC: the two of a pair cannot disagree on the zone then.
        yield f"RDATE;VALUE=PERIOD:{_bare(start)}/{_bare(end)}"
    if recurrence.excluded:
        yield _times("EXDATE", recurrence.excluded, zone)


def _times(name: str, times: Iterable[EventTime], zone: str | None) -> str:
    values = list(times)
    if not isinstance(values[0], datetime):
        return f"{name};VALUE=DATE:{','.join(value.strftime('%Y%m%d') for value in values)}"
    if zone is None:
        return f"{name}:{','.join(_bare(value) for value in values)}"
    local = [value.astimezone(ZoneInfo(zone)) for value in values if isinstance(value, datetime)]
    return f"{name};TZID={zone}:{','.join(f'{value:%Y%m%dT%H%M%S}' for value in local)}"


def _bare(time: EventTime) -> str:
    if not isinstance(time, datetime):
        return time.strftime("%Y%m%d")
    return f"{time:%Y%m%dT%H%M%S}" if time.tzinfo is None else utc(time)


# --- a file that people edited -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A content line as it stands (`raw`: folded as it was) inside the components of `path`."""

    raw: str
    name: str
    value: str
    path: tuple[str, ...]


def _placed(text: str) -> list[_Line]:
    lines: list[_Line] = []
    path: tuple[str, ...] = ()
    for raw in _unsplit(text):
        unfolded = re.sub(r"\r\n[ \t]", "", raw)
        name = re.split("[;:]", unfolded, maxsplit=1)[0].strip().upper()
        value = unfolded.rpartition(":")[2].strip()
        if name == "BEGIN":
            path = (*path, value.upper())
        lines.append(_Line(raw, name, value, path))
        if name == "END":
            path = path[:-1]
    return lines


def _unsplit(text: str) -> list[str]:
    """Content lines with their folds in place."""
    lines: list[str] = []
    for physical in re.split(r"\r?\n", text):
        if physical[:1] in (" ", "\t") and lines:
            lines[-1] += f"\r\n{physical}"
        elif physical:
            lines.append(physical)
    return lines


def _events(lines: list[_Line]) -> list[list[_Line]]:
    """Each VEVENT as its lines, those of its alarms too; its own properties are those with a path of two."""
    events: list[list[_Line]] = []
    for line in lines:
        if line.path[:2] != ("VCALENDAR", "VEVENT"):
            continue
        if line.name == "BEGIN" and len(line.path) == 2:
            events.append([])
        events[-1].append(line)
    return events


def _superseded(master: list[_Line], draft: EventDraft, *, notes: bool) -> set[int]:
    own = [line for line in master if len(line.path) == 2]
    names = _OURS | (_NOTES if notes else frozenset())
    location = next((line.raw for line in own if line.name == "LOCATION"), "")
    if escaped(one_line(draft.location)) != re.sub(r"\r\n[ \t]", "", location).partition(":")[2]:
        # They show the old place on a map, whatever LOCATION says.
        names |= _PLACE_COPIES
    return {id(line) for line in own if line.name in names}


def _sequence(master: list[_Line]) -> int:
    for line in master:
        if line.name == "SEQUENCE" and len(line.path) == 2 and line.value.isascii() and line.value.isdigit():
            return int(line.value)
    return 0
