"""Reading an iCalendar file (RFC 5545) into the neutral records. Pure.

The lexing is icalendar's; its typed properties are not used, since they turn a time with an unknown zone into a
time without one and say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from icalendar.parser import Contentline, Contentlines, split_on_unescaped_comma

from connectors.errors import BadItem
from connectors.records import (
    BusyStatus,
    CalendarEvent,
    Classification,
    EventComponent,
    EventStatus,
    EventTime,
    Recurrence,
    Transparency,
)
from connectors.zones import Definition, Observance, UnknownZone, zone_of

_NAME = re.compile(r"[ \t]*([A-Za-z0-9-]+)[ \t]*(?=[;:])")
# The zone of a time may hold colons and commas without the quotes it should have; a time itself holds neither.
_TZID = re.compile(
    r";[ \t]*TZID[ \t]*=[ \t]*(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>.*?))[ \t]*(?=;[A-Za-z-]+=|$)", re.IGNORECASE
)
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(?::?(\d\d))?")
_TIMES = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"})
_SHOWN_ZONE = 60


class _Malformed(ValueError):
    """What is wrong and where, in words that hold nothing of the item's content."""


@dataclass(slots=True)
class _Component:
    name: str
    lines: list[tuple[str, Contentline]] = field(default_factory=list)  # (property name in capitals, its line)
    children: list[_Component] = field(default_factory=list)

    def named(self, name: str) -> list[Contentline]:
        return [line for other, line in self.lines if other == name]

    def parts(self, name: str) -> list[_Component]:
        return [child for child in self.children if child.name == name]


def parse_event(body: bytes, *, system: str, owner_addresses: Collection[str] = ()) -> CalendarEvent | None:
    """The event in `body`, or None when it holds no VEVENT.

    `owner_addresses`: the e-mail addresses, in lower case, of the calendar's owner; a component in which one of them
    answered DECLINED is `declined`. Raises `BadItem`, whose text says what and where but nothing of the content;
    `system` is the account that it names.
    """
    try:
        return _event(_tree(decode_text(body)), frozenset(owner_addresses))
    except _Malformed as problem:
        raise BadItem(f"An item cannot be read: {problem}.", system=system) from None
    except OverflowError:
        raise BadItem("An item cannot be read: a time is out of the calendar.", system=system) from None


def decode_text(body: bytes) -> str:
    """The text of a file: UTF-8 (RFC 5545 section 3.1.4), or what old programs of Western Europe write instead."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        # A wrong accent in a title is no reason to overlook the time that the event takes.
        return body.decode("cp1252", errors="replace")


def _tree(text: str) -> _Component:
    root = _Component("")
    open_components = [root]
    for line in Contentlines.from_ical(text):  # type: ignore[no-untyped-call]  # the library's lexer has no hints
        match = _NAME.match(line)
        if match is None:
            if line.strip().upper() in _TIMES:
                raise _Malformed(f"{line.strip().upper()} has no value")
            continue  # a remainder of a text that was folded wrongly
        name = match[1].upper()
        if name == "BEGIN":
            component = _Component(_value(line).upper())
            open_components[-1].children.append(component)
            open_components.append(component)
        elif name == "END":
            if len(open_components) == 1 or open_components.pop().name != _value(line).upper():
                raise _Malformed("its BEGIN and END lines do not match")
        else:
            open_components[-1].lines.append((name, line))
    if len(open_components) > 1:
        raise _Malformed("it ends in the middle")
    return root


def _value(line: Contentline) -> str:
    """The value of a property whose values hold no colon."""
    return line.rpartition(":")[2].strip()


def _raw_value(line: Contentline) -> str:
    return line[line.value_separator_index() + 1 :]


def _text(component: _Component, name: str) -> str:
    for line in component.named(name):
        try:
            _, _, value = line.parts()
        except ValueError:
            value = _raw_value(line)
        return value
    return ""


def _event(root: _Component, owners: frozenset[str]) -> CalendarEvent | None:
    calendars = root.parts("VCALENDAR")
    if not calendars:
        raise _Malformed("it is no iCalendar file")
    events = [event for calendar in calendars for event in calendar.parts("VEVENT")]
    if not events:
        return None
    uids = {_text(event, "UID").strip() for event in events}
    if len(uids) > 1:
        raise _Malformed("it holds more than one UID")
    masters = [event for event in events if not event.named("RECURRENCE-ID")]
    if len(masters) > 1:
        raise _Malformed("it holds more than one event under the same UID")
    uid = uids.pop()
    if not uid:
        raise _Malformed("it has no UID")
    zones = _Zones([zone for calendar in calendars for zone in calendar.parts("VTIMEZONE")])
    ordered = masters + [event for event in events if event.named("RECURRENCE-ID")]
    return CalendarEvent(
        uid=uid,
        components=tuple(_EventReader(event, zones, owners).read() for event in ordered),
        marker=_text(ordered[0], "X-RDV-GATEWAY").strip() or None,
        product_id=_text(calendars[0], "PRODID").strip(),
    )


# --- one VEVENT ----------------------------------------------------------------------------------------------


class _EventReader:
    """Reads one VEVENT."""

    def __init__(self, event: _Component, zones: _Zones, owners: frozenset[str]) -> None:
        self._event = event
        self._zones = zones
        self._owners = owners
        self._start = self._one_time("DTSTART", beside=None)

    def read(self) -> EventComponent:
        if self._start is None:
            raise _Malformed("an event has no DTSTART")
        recurrence_id = self._one_time("RECURRENCE-ID", beside=self._zone)
        return EventComponent(
            start=self._start,
            end=self._end(self._start),
            recurrence=self._recurrence(),
            recurrence_id=recurrence_id,
            this_and_future=any("RANGE=THISANDFUTURE" in line.upper() for line in self._event.named("RECURRENCE-ID")),
            transparency=self._transparency(),
            status=self._status(),
            classification=self._classification(),
            declined=self._declined(),
            busy_status=self._busy_status(),
            categories=self._categories(),
            summary=_text(self._event, "SUMMARY"),
            location=_text(self._event, "LOCATION"),
            description=_text(self._event, "DESCRIPTION"),
            url=_text(self._event, "URL").strip(),
        )

    @property
    def _zone(self) -> tzinfo | None:
        return self._start.tzinfo if isinstance(self._start, datetime) else None

    def _one_time(self, name: str, *, beside: tzinfo | None) -> EventTime | None:
        lines = self._event.named(name)
        if not lines:
            return None
        if len(lines) > 1:
            raise _Malformed(f"an event has more than one {name}")
        return self._zones.time(name, _value(lines[0]), _tzid(lines[0]), beside)

    def _end(self, start: EventTime) -> EventTime:
        end = self._one_time("DTEND", beside=self._zone)
        if end is None:
            durations = self._event.named("DURATION")
            if durations:
                end = _after(start, _value(durations[0]))
            else:
                end = start if isinstance(start, datetime) else start + timedelta(days=1)
        if isinstance(end, datetime) != isinstance(start, datetime):
            raise _Malformed("DTSTART and DTEND are not both dates or both times")
        if isinstance(end, datetime) and isinstance(start, datetime) and (end.tzinfo is None) != (start.tzinfo is None):
            raise _Malformed("only one of DTSTART and DTEND has a time zone")
        if _before(end, start):
            raise _Malformed("an event ends before it starts")
        if end == start and not isinstance(start, datetime):
            # Some programs write the same day twice for a day-long event.
            return start + timedelta(days=1)
        return end

    def _recurrence(self) -> Recurrence:
        # An empty RRULE is how some programs say that nothing recurs.
        rules = tuple(_value(line) for line in self._event.named("RRULE") if _value(line))
        dates: list[EventTime] = []
        period_ends: list[tuple[EventTime, EventTime]] = []
        for text, tzid in self._listed("RDATE"):
            first, slash, second = text.partition("/")
            start = self._zones.time("RDATE", first, tzid, self._zone)
            dates.append(start)
            if slash:
                end = _after(start, second) if "P" in second.upper() else None
                period_ends.append((start, end or self._zones.time("RDATE", second, tzid, self._zone)))
        excluded = tuple(self._zones.time("EXDATE", text, tzid, self._zone) for text, tzid in self._listed("EXDATE"))
        return Recurrence(rules, tuple(dates), tuple(period_ends), excluded)

    def _listed(self, name: str) -> Iterator[tuple[str, str | None]]:
        for line in self._event.named(name):
            for text in _value(line).split(","):
                if text.strip():
                    yield text.strip(), _tzid(line)

    def _outlook_status(self) -> str:
        return _text(self._event, "X-MICROSOFT-CDO-BUSYSTATUS").strip().upper()

    def _transparency(self) -> Transparency:
        # Programs that know one of the two properties leave the other as it was: free wins, since nobody calls
        # something free by accident.
        if _text(self._event, "TRANSP").strip().upper() == Transparency.TRANSPARENT:
            return Transparency.TRANSPARENT
        return Transparency.TRANSPARENT if self._outlook_status() == "FREE" else Transparency.OPAQUE

    def _status(self) -> EventStatus:
        text = _text(self._event, "STATUS").strip().upper()
        status = EventStatus(text) if text in set(EventStatus) else EventStatus.CONFIRMED
        if status is EventStatus.CONFIRMED and self._outlook_status() == "TENTATIVE":
            return EventStatus.TENTATIVE
        return status

    def _busy_status(self) -> BusyStatus | None:
        text = self._outlook_status()
        return BusyStatus(text) if text in set(BusyStatus) else None

    def _categories(self) -> tuple[str, ...]:
        """Every category of every CATEGORIES line; commas within one are escaped (RFC 5545 section 3.8.1.2)."""
        found: dict[str, None] = {}
        for line in self._event.named("CATEGORIES"):
            found.update((name.strip(), None) for name in split_on_unescaped_comma(_raw_value(line)) if name.strip())
        return tuple(found)

    def _classification(self) -> Classification:
        text = _text(self._event, "CLASS").strip().upper()
        if not text:
            return Classification.PUBLIC
        return Classification(text) if text in set(Classification) else Classification.PRIVATE

    def _declined(self) -> bool:
        for line in self._event.named("ATTENDEE"):
            try:
                _, parameters, value = line.parts()
            except ValueError:
                continue
            address = value.strip().lower().removeprefix("mailto:")
            answer = str(parameters.get("PARTSTAT", "")).upper()
            if answer == "DECLINED" and (
                address in self._owners or str(parameters.get("EMAIL", "")).lower() in self._owners
            ):
                return True
        return False


# --- times ---------------------------------------------------------------------------------------------------


def _tzid(line: Contentline) -> str | None:
    match = _TZID.search(line.rpartition(":")[0])
    if match is None:
        return None
    quoted = match["quoted"]
    return str(match["bare"]) if quoted is None else str(quoted)


def _before(one: EventTime, other: EventTime) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime) and one.tzinfo is not None:
        # Wall-clocks of one zone compare wrongly in the repeated hour of autumn.
        return one.astimezone(UTC) < other.astimezone(UTC)
    return one < other


def _after(start: EventTime, duration: str) -> EventTime:
    """`start` plus a DURATION: weeks and days by the calendar, the rest by the clock (RFC 5545 section 3.3.6)."""
    match = _DURATION.fullmatch(duration.upper())
    if match is None or match["sign"] == "-":
        raise _Malformed("a DURATION is not valid")
    days = int(match["weeks"] or 0) * 7 + int(match["days"] or 0)
    seconds = int(match["hours"] or 0) * 3600 + int(match["minutes"] or 0) * 60 + int(match["seconds"] or 0)
    if not isinstance(start, datetime):
        if seconds % 86_400:
            raise _Malformed("a DURATION in hours follows a date")
        return start + timedelta(days=days, seconds=seconds)
    moved = start + timedelta(days=days)
    if moved.tzinfo is None or not seconds:
        return moved + timedelta(seconds=seconds)
    return (moved.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(moved.tzinfo)


class _Zones:
    """The times of one file, with the zones that it defines itself."""

    def __init__(self, definitions: list[_Component]) -> None:
        self._definitions = {_text(zone, "TZID").strip().strip('"'): zone for zone in definitions}

    def time(self, name: str, text: str, tzid: str | None, beside: tzinfo | None) -> EventTime:
        """The time `text` of property `name`; `beside` is the zone of the event's DTSTART."""
        match = _TIME.fullmatch(text.strip().upper())
        if match is None:
            raise _Malformed(f"{name} is neither a date nor a time")
        try:
            day = date(int(match[1]), int(match[2]), int(match[3]))
            if match[4] is None:
                return day
            # A leap second (RFC 5545 section 3.3.12) is nobody's appointment.
            wall_clock = datetime(  # noqa: DTZ001  # its zone follows
                day.year, day.month, day.day, int(match[4]), int(match[5]), min(int(match[6]), 59)
            )
        except ValueError:
            raise _Malformed(f"{name} is not a date of the calendar") from None
        if match[7]:
            return wall_clock.replace(tzinfo=UTC)
        if tzid is not None:
            return wall_clock.replace(tzinfo=self._zone(tzid, day.year))
        if beside is UTC:
            raise _Malformed(f"{name} has no time zone although DTSTART has one")
        # Formally floating; written by programs that leave out a zone which DTSTART has named already.
        return wall_clock.replace(tzinfo=beside if isinstance(beside, ZoneInfo) else None)

    def _zone(self, tzid: str, year: int) -> tzinfo:
        component = self._definitions.get(tzid.strip().strip('"'))
        try:
            return zone_of(tzid, _definition(component) if component else None, year)
        except UnknownZone:
            shown = "".join(letter for letter in tzid if letter.isprintable())[:_SHOWN_ZONE]
            raise _Malformed(f'time zone "{shown}" cannot be resolved') from None


def _definition(zone: _Component) -> Definition | None:
    observances: list[Observance] = []
    for part in zone.children:
        start = _local(part, "DTSTART")
        before, after = _offset(part, "TZOFFSETFROM"), _offset(part, "TZOFFSETTO")
        if not start or before is None or after is None:
            return None
        rules = tuple(_value(line).upper() for line in part.named("RRULE"))
        observances.append(Observance(start[0], before, after, rules, tuple(_local(part, "RDATE"))))
    return tuple(observances) or None


def _local(part: _Component, name: str) -> list[datetime]:
    texts = [text.partition("/")[0] for line in part.named(name) for text in _value(line).split(",")]
    try:
        return [datetime.strptime(text.strip().rstrip("Zz"), "%Y%m%dT%H%M%S") for text in texts]  # noqa: DTZ007  # wall-clock
    except ValueError:
        return []


def _offset(part: _Component, name: str) -> timedelta | None:
    for line in part.named(name):
        match = _OFFSET.search(line[len(name) :])
        if match is not None:
            offset = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
            return -offset if match[1] == "-" else offset
    return None
