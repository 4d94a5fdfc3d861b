"""The times-only shape of an event: all that busy time needs, and all that the database may hold in clear.

No text of a person gets through: rules are parsed and written again from their parts, a zone is its IANA name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.errors import BadItem
from connectors.records import (
    BusyStatus,
    CalendarEvent,
    EventComponent,
    EventStatus,
    EventTime,
    Recurrence,
    Transparency,
)
from mappings.rules import SYSTEM, basic_form, format_rule, parse_rule

_VERSION = 2


class Availability(StrEnum):
    """What an event says of its owner's time, of TRANSP, STATUS, the owner's answer and Outlook's own status."""

    BUSY = "busy"
    TENTATIVE = "tentative"
    OUT_OF_OFFICE = "out_of_office"
    ELSEWHERE = "elsewhere"
    FREE = "free"
    CANCELLED = "cancelled"  # or declined by the owner: no rule makes it busy


@dataclass(frozen=True, slots=True)
class ComponentTimes:
    """One VEVENT without its texts. `start`, `end` (exclusive) and `recurrence_id` as in `EventComponent`.

    `matches`: ids of the rules' categories and title patterns that it matched when it was read.
    `label`: what its blocks are called, "" masked; given by the rules (`busy_rules.decide`), never kept.
    """

    start: EventTime
    end: EventTime
    recurrence: Recurrence = field(default_factory=Recurrence)
    recurrence_id: EventTime | None = None
    this_and_future: bool = False
    availability: Availability = Availability.BUSY
    matches: frozenset[str] = frozenset()
    label: str = ""

    @property
    def busy(self) -> bool:
        """Whether its time is taken, where no rule says otherwise."""
        return self.availability not in (Availability.FREE, Availability.CANCELLED)


@dataclass(frozen=True, slots=True)
class EventTimes:
    """All components of one calendar object: master first if there is one; an override may stand alone."""

    components: tuple[ComponentTimes, ...]


def _no_matches(_: EventComponent) -> frozenset[str]:
    return frozenset()


def times_of(event: CalendarEvent, matches_of: Callable[[EventComponent], frozenset[str]] = _no_matches) -> EventTimes:
    """Reduce an event to its times. Raises `BadItem` when a time or a rule has no clear meaning.

    `matches_of`: which categories and title patterns of the rules a component matches (`busy_rules.Patterns`).
    """
    return EventTimes(tuple(_component_times(component, matches_of(component)) for component in event.components))


def _availability(component: EventComponent) -> Availability:
    """Free before tentative before the finer kinds of busy: what is shown as free is free whatever its kind."""
    if component.status is EventStatus.CANCELLED or component.declined:
        return Availability.CANCELLED
    if component.transparency is Transparency.TRANSPARENT:
        return Availability.FREE
    if component.status is EventStatus.TENTATIVE:
        return Availability.TENTATIVE
    match component.busy_status:
        case BusyStatus.OUT_OF_OFFICE:
            return Availability.OUT_OF_OFFICE
        case BusyStatus.ELSEWHERE:
            return Availability.ELSEWHERE
    return Availability.BUSY


def _component_times(component: EventComponent, matches: frozenset[str]) -> ComponentTimes:
    recurrence = component.recurrence
    return ComponentTimes(
        start=canonical_time(component.start),
        end=canonical_time(component.end),
        recurrence=Recurrence(
            rules=tuple(sorted({format_rule(parse_rule(rule)) for rule in recurrence.rules})),
            dates=_sorted_times(recurrence.dates),
            period_ends=tuple((canonical_time(start), canonical_time(end)) for start, end in recurrence.period_ends),
            excluded=_sorted_times(recurrence.excluded),
        ),
        recurrence_id=None if component.recurrence_id is None else canonical_time(component.recurrence_id),
        this_and_future=component.this_and_future,
        availability=_availability(component),
        matches=matches,
    )


def _sorted_times(times: tuple[EventTime, ...]) -> tuple[EventTime, ...]:
    return tuple(sorted({canonical_time(time) for time in times}, key=time_text))


def canonical_time(time: EventTime) -> EventTime:
    """A time without what iCalendar cannot say: no fraction of a second, no offset but UTC's, no second pass of the
    repeated hour in local form (it becomes UTC). Date, floating, UTC and zoned stay what they are."""
    if not isinstance(time, datetime):
        return time
    time = time.replace(microsecond=0)
    if time.tzinfo is None:
        return time.replace(fold=0)
    if isinstance(time.tzinfo, ZoneInfo) and time.tzinfo.key and not time.fold:
        return time
    return time.astimezone(UTC)


def time_text(time: EventTime) -> str:
    """`20250303`, `20250303T090000` (floating), `20250303T080000Z`, `20250303T090000 Europe/Paris`."""
    zone = f" {time.tzinfo.key}" if isinstance(time, datetime) and isinstance(time.tzinfo, ZoneInfo) else ""
    return basic_form(time) + zone


def _time_of(text: str) -> EventTime:
    basic, _, zone = text.partition(" ")
    if "T" not in basic:
        return date.fromisoformat(basic)
    time = datetime.fromisoformat(basic.removesuffix("Z"))
    if basic.endswith("Z"):
        return time.replace(tzinfo=UTC)
    return time.replace(tzinfo=ZoneInfo(zone)) if zone else time


def dump_times(times: EventTimes) -> str:
    """Compact canonical JSON: equal times give equal texts, and `load_times` gives them back."""
    components = [
        {
            name: value
            for name, value in {
                "start": time_text(component.start),
                "end": time_text(component.end),
                "rules": component.recurrence.rules,
                "dates": [time_text(time) for time in component.recurrence.dates],
                "periods": [[time_text(start), time_text(end)] for start, end in component.recurrence.period_ends],
                "excluded": [time_text(time) for time in component.recurrence.excluded],
                "of": None if component.recurrence_id is None else time_text(component.recurrence_id),
                "future": component.this_and_future,
                "is": "" if component.availability is Availability.BUSY else component.availability.value,
                "matches": sorted(component.matches),
            }.items()
            if value
        }
        for component in times.components
    ]
    return json.dumps({"v": _VERSION, "components": components}, separators=(",", ":"), sort_keys=True)


def load_times(text: str) -> EventTimes:
    """Read what `dump_times` wrote. Raises `ValueError` for anything else, `BadItem` for a zone that is no longer
    known on this machine (the event is set aside, never read as another time)."""
    try:
        stored = json.loads(text)
        if stored["v"] != _VERSION:
            raise ValueError("another version")
        return EventTimes(tuple(_load_component(component) for component in stored["components"]))
    except ZoneInfoNotFoundError as error:
        raise BadItem("unknown time zone", system=SYSTEM) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not event times") from error


def _load_component(stored: Mapping[str, Any]) -> ComponentTimes:
    def times(name: str, read: Callable[[str], EventTime] = _time_of) -> tuple[EventTime, ...]:
        return tuple(read(text) for text in stored.get(name, ()))

    return ComponentTimes(
        start=_time_of(stored["start"]),
        end=_time_of(stored["end"]),
        recurrence=Recurrence(
            rules=tuple(stored.get("rules", ())),
            dates=times("dates"),
            period_ends=tuple((_time_of(start), _time_of(end)) for start, end in stored.get("periods", ())),
            excluded=times("excluded"),
        ),
        recurrence_id=_time_of(stored["of"]) if "of" in stored else None,
        this_and_future=stored.get("future", False),
        availability=Availability(stored.get("is", Availability.BUSY)),
        matches=frozenset(stored.get("matches", ())),
    )
