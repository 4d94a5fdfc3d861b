"""Expansion of an event into the occurrences that make its owner busy in a window.

Who does what: `rules` walks the RRULEs within bounds; recurring-ical-events decides between master, overrides,
RDATE, EXDATE and this-and-future; this module gives it everything as wall-clock of the series' own zone and turns
its answer into instants. In wall-clock a weekly 9 o'clock stays 9 o'clock across a change of clocks, and two times
are equal when a reader of the calendar sees them equal, in whatever zone each was written. (Given aware times, the
library compares both the UTC and the local digits of a RECURRENCE-ID, so that the override of a 10:00 in
summer time hides the 08:00 of the same series.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from connectors.errors import BadItem
from connectors.records import EventTime
from mappings.rules import SYSTEM, Rule, basic_form, parse_rule, refuse_unbounded, starts
from mappings.times import ComponentTimes, EventTimes
from mappings.wallclock import to_instant

MOST_OCCURRENCES = 2_000
"""More than this in one window is no agenda: `BadItem`."""

MOST_RULES = 20

_DAY = timedelta(days=1)
_COMPONENT = "X-COMPONENT"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One busy stretch of an event. `start` < `end`: aware, UTC.

    `recurrence_id`: "" for an event that happens once, else its original start, the same wherever it was moved:
    UTC basic form, a date for an all-day series, local basic form for a floating one.
    `first_day` and `last_day` (inclusive) are given for all-day only: wall dates, the same in every zone.
    """

    recurrence_id: str
    start: datetime
    end: datetime
    all_day: bool = False
    first_day: date | None = None
    last_day: date | None = None
    label: str = ""  # of the component that it comes from


def occurrences(times: EventTimes, start: datetime, end: datetime, zone: ZoneInfo) -> tuple[Occurrence, ...]:
    """Busy occurrences that overlap the instants [start, end), by start.

    Floating times and days are read in `zone`. Zero-length occurrences are dropped; an all-day event that ends on
    its own day lasts that day. A timed occurrence lasts as long on the clock as its master does, or as long in time
    where a change of clocks makes that longer; the master itself lasts what it says.
    Raises `BadItem` for a sub-daily or contradictory rule, an end before its start, more than `MOST_OCCURRENCES`.
    """
    try:
        found = {
            each: None
            for each in _expand(times, (start.astimezone(UTC), end.astimezone(UTC)), zone)
            if each.start < end and each.end > start
        }
    except OverflowError as error:
        raise BadItem("time out of range", system=SYSTEM) from error
    if len(found) > MOST_OCCURRENCES:
        raise BadItem(f"more than {MOST_OCCURRENCES} occurrences", system=SYSTEM)
    return tuple(sorted(found, key=lambda each: (each.start, each.end, each.recurrence_id)))


def _expand(times: EventTimes, window: tuple[datetime, datetime], zone: ZoneInfo) -> Iterator[Occurrence]:
    masters = [component for component in times.components if component.recurrence_id is None]
    overrides = [component for component in times.components if component.recurrence_id is not None]
    for index, master in enumerate(masters):
        # A second master under one UID is against RFC 4791, yet its time is taken: it stands on its own.
        own = overrides if index == 0 else []
        if not own and not master.recurrence:
            yield from _alone(master, "", zone)
        elif master.busy or any(override.busy and override.this_and_future for override in own):
            yield from _Series(master, own, zone).expand(window)
        else:
            yield from _exceptions(own, _Series(master, own, zone))
    if not masters:
        for override in overrides:
            yield from _exceptions([override], _Series(override, [], zone))


def _exceptions(overrides: list[ComponentTimes], series: _Series) -> Iterator[Occurrence]:
    """Overrides whose master is missing or free: each for itself."""
    for override in overrides:
        yield from _alone(override, series.key(series.original(override)), series.zone)


def _alone(component: ComponentTimes, key: str, zone: ZoneInfo) -> Iterator[Occurrence]:
    if not component.busy:
        return
    if _is_day(component.start):
        first, last = _days(component)
        yield replace(_all_day(key, first, last, zone), label=component.label)
        return
    start, end = _instant(component.start, zone), _instant(component.end, zone)
    if end < start:
        raise BadItem("ends before it starts", system=SYSTEM)
    if start < end:
        yield Occurrence(key, start, end, label=component.label)


class _Series:
    """A master with its overrides, as wall-clock of one zone: the master's, else the agent's."""

    def __init__(self, master: ComponentTimes, overrides: list[ComponentTimes], zone: ZoneInfo) -> None:
        self.zone = zone
        self._components = [master, *overrides]
        # An override that stands alone has no master to say what kind of series it belongs to but its own id.
        anchor = master.start if master.recurrence_id is None else master.recurrence_id
        self._all_day = _is_day(anchor)
        self._floating = isinstance(anchor, datetime) and anchor.tzinfo is None
        own_zone = anchor.tzinfo if isinstance(anchor, datetime) else None
        self._zone: tzinfo = own_zone or zone
        self._first = self._first_wall(anchor)

    def _first_wall(self, anchor: EventTime) -> datetime:
        if isinstance(anchor, datetime):
            return anchor.replace(tzinfo=None, fold=0)
        return datetime.combine(anchor, time.min)

    def wall(self, moment: EventTime) -> datetime:
        """A time that points into the series (RECURRENCE-ID, RDATE, EXDATE) as wall-clock of the series.

        Its kind may differ from the master's: a bare day in a timed series means the occurrence of that day, a
        time in an all-day series means its day.
        """
        if not isinstance(moment, datetime):
            return datetime.combine(moment, time.min if self._all_day else self._first.time())
        if self._all_day:
            return datetime.combine(_day_meant(moment, self.zone), time.min)
        return moment.astimezone(self._zone).replace(tzinfo=None, fold=0) if moment.tzinfo else moment

    def original(self, override: ComponentTimes) -> datetime:
        """The wall-clock start that an override replaces."""
        return self._first if override.recurrence_id is None else self.wall(override.recurrence_id)

    def key(self, original: datetime) -> str:
        """`Occurrence.recurrence_id` of an original start."""
        if self._all_day:
            return basic_form(original.date())
        return basic_form(original if self._floating else original.replace(tzinfo=self._zone).astimezone(UTC))

    def expand(self, window: tuple[datetime, datetime]) -> Iterator[Occurrence]:
        """The busy occurrences in a window of instants, and some around it."""
        spans = [self._span(component) for component in self._components]
        moves = [
            span[0] - self.original(component) if component.this_and_future else timedelta()
            for component, span in zip(self._components, spans, strict=True)
        ]
        longest = max(end - start for start, end in [*spans, *self._periods().values()])
        reach = (
            window[0].astimezone(self._zone).replace(tzinfo=None) - _DAY - longest - max(moves),
            window[1].astimezone(self._zone).replace(tzinfo=None) + _DAY - min(moves),
        )
        # Each stands for itself, even where an EXDATE takes its date away or a second one changes the same date: what
        # the file shows as an event is not given away.
        yield from _exceptions([each for each in self._components[1:] if not each.this_and_future], self)
        calendar = self._calendar(spans, reach)
        for event in recurring_ical_events.of(calendar).between(*reach):
            index = int(event[_COMPONENT])
            component, start, end = self._components[index], event["DTSTART"].dt, event["DTEND"].dt
            if not component.busy or (index > 0 and not component.this_and_future):
                continue
            key = self.key(start - moves[index])
            if (start, end) == spans[index]:  # its own date: its own instants, whatever clocks do meanwhile
                yield from _alone(component, key, self.zone)
            else:
                yield from self._occurrence(component, key, start, end)

    def _occurrence(self, component: ComponentTimes, key: str, start: datetime, end: datetime) -> Iterator[Occurrence]:
        if _is_day(component.start):
            whole_days = _all_day(key, start.date(), max(start, end - _DAY).date(), self.zone)
            yield replace(whole_days, label=component.label)
        elif start < end:
            first, last = (wall.replace(tzinfo=self._zone).astimezone(UTC) for wall in (start, end))
            # Only in the hour that the clocks skip is the end not after the start: then the length decides.
            yield Occurrence(key, first, last if last > first else first + (end - start), label=component.label)

    def _span(self, component: ComponentTimes) -> tuple[datetime, datetime]:
        """Start and end of a component as wall-clock of the series; its length on the clock or in time, if longer."""
        if _is_day(component.start):
            first, last = _days(component)
            return datetime.combine(first, time.min), datetime.combine(last + _DAY, time.min)
        start, end = (_wall_in(moment, self._zone) for moment in (component.start, component.end))
        length = _instant(component.end, self.zone) - _instant(component.start, self.zone)
        if length < timedelta():
            raise BadItem("ends before it starts", system=SYSTEM)
        return start, max(start + length, end)

    def _periods(self) -> dict[datetime, tuple[datetime, datetime]]:
        periods = self._components[0].recurrence.period_ends
        return {self.wall(start): (self.wall(start), max(self.wall(start), self.wall(end))) for start, end in periods}

    def _calendar(self, spans: list[tuple[datetime, datetime]], reach: tuple[datetime, datetime]) -> icalendar.Calendar:
        """What recurring-ical-events gets: floating times only, and RDATEs in place of RRULEs."""
        calendar = icalendar.Calendar()
        for index, (component, (start, end)) in enumerate(zip(self._components, spans, strict=True)):
            event = icalendar.Event()
            event.add("UID", "series")
            event.add(_COMPONENT, str(index))
            event.add("DTSTART", start)
            event.add("DTEND", end)
            if index == 0:
                self._add_recurrence(event, reach)
            else:
                future = {"RANGE": "THISANDFUTURE"} if component.this_and_future else {}
                event.add("RECURRENCE-ID", self.original(component), parameters=future)
            calendar.add_component(event)
        return calendar

    def _add_recurrence(self, event: icalendar.Event, reach: tuple[datetime, datetime]) -> None:
        recurrence, periods = self._components[0].recurrence, self._periods()
        rules = [self._rule(text) for text in recurrence.rules]
        dates = {self.wall(moment) for moment in recurrence.dates}
        wanted = {moment for moment in dates if reach[0] <= moment <= reach[1]} | self._ruled(rules, reach)
        excluded = {
            moment if _is_day(moment) and not self._all_day else self.wall(moment) for moment in recurrence.excluded
        }
        for name, values in (
            ("RDATE", [moment for moment in wanted if moment not in periods]),
            ("RDATE", [period for start, period in periods.items() if start in wanted]),
            ("EXDATE", [moment for moment in excluded if not _is_day(moment)]),
            ("EXDATE", [moment for moment in excluded if _is_day(moment)]),
        ):
            if values:
                event.add(name, values)
        if rules and not dates and all(self._ended_before_it_began(rule) for rule in rules):
            event.add("EXDATE", [self._first])

    def _rule(self, text: str) -> Rule:
        rule = parse_rule(text)
        # RFC 5545 section 3.3.10: times of day are ignored where DTSTART is a date.
        return replace(rule, by_hour=(), by_minute=(), by_second=()) if self._all_day else rule

    def _ruled(self, rules: list[Rule], reach: tuple[datetime, datetime]) -> set[datetime]:
        for rule in rules:
            refuse_unbounded(rule)
        if len(rules) > MOST_RULES:
            raise BadItem(f"more than {MOST_RULES} recurrence rules", system=SYSTEM)
        limit = 2 * MOST_OCCURRENCES  # `reach` is wider than the window; what is in the window is counted later
        found: set[datetime] = set()
        for rule in rules:
            found.update(islice(starts(rule, self._first, self._until(rule), reach), limit + 1))
            if len(found) > limit:
                raise BadItem(f"more than {MOST_OCCURRENCES} occurrences", system=SYSTEM)
        return found

    def _ended_before_it_began(self, rule: Rule) -> bool:
        """UNTIL before DTSTART: how some clients cut off a series at its first occurrence."""
        until = self._until(rule)
        return until is not None and until < self._first

    def _until(self, rule: Rule) -> datetime | None:
        """UNTIL as wall-clock of the series, inclusive, where its form does not match DTSTART too."""
        until = rule.until
        if until is None:
            return None
        if not isinstance(until, datetime):
            return datetime.combine(until, time.max)
        converted = self.wall(until)
        if not self._floating or until.tzinfo is None:
            return converted
        # A floating series ends at a local time; with a Z it may be meant either way: the later reading.
        return max(converted, until.replace(tzinfo=None))


def _is_day(moment: EventTime) -> bool:
    return not isinstance(moment, datetime)


def _days(component: ComponentTimes) -> tuple[date, date]:
    """First and last day of an all-day component. An end on the first day is how some clients write one day."""
    if isinstance(component.start, datetime) or isinstance(component.end, datetime):
        raise BadItem("starts with a day and ends with a time", system=SYSTEM)
    if component.end < component.start:
        raise BadItem("ends before it starts", system=SYSTEM)
    return component.start, max(component.start, component.end - _DAY)


def _all_day(key: str, first: date, last: date, zone: ZoneInfo) -> Occurrence:
    start = to_instant(datetime.combine(first, time.min), zone)
    end = to_instant(datetime.combine(last + _DAY, time.min), zone, start=False)
    return Occurrence(key, start, end, all_day=True, first_day=first, last_day=last)


def _instant(moment: EventTime, zone: ZoneInfo) -> datetime:
    """RFC 5545 section 3.3.5: in the repeated hour the first pass, in the skipped hour the offset before it."""
    if not isinstance(moment, datetime):
        raise BadItem("starts with a time and ends with a day", system=SYSTEM)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _wall_in(moment: EventTime, zone: tzinfo) -> datetime:
    if not isinstance(moment, datetime):
        raise BadItem("starts with a time and ends with a day", system=SYSTEM)
    return moment.astimezone(zone).replace(tzinfo=None, fold=0) if moment.tzinfo else moment


def _day_meant(moment: datetime, zone: ZoneInfo) -> date:
    """The day that a time stands for in an all-day series.

    In UTC it is an instant of the agent's day (`20251230T230000Z` = 31 December in Paris), except for the two
    times that are a day written out: midnight and one second to midnight.
    """
    if moment.tzinfo is UTC and moment.time() not in (time(0, 0, 0), time(23, 59, 59)):
        return moment.astimezone(zone).date()
    return moment.date()
