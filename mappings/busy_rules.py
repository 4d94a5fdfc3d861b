"""Which events occupy their owner's time: a département's rules, applied to an event's times.

Titles are looked at in one place, when an event is read (`Patterns.matches_of`); what is kept of them is which
patterns matched. Everything later works on that.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import is_

from connectors.records import EventComponent
from mappings.times import Availability, ComponentTimes, EventTimes


class AllDay(StrEnum):
    """When an all-day event occupies its days."""

    BUSY = "busy"  # as any other event, by what it says of itself (RFC 5545 section 3.8.2.7)
    OUT_OF_OFFICE = "out_of_office"  # only out of office, or in a category named for it
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of a weekday that matter (Monday 0), wall-clock of the agent. `end` 00:00 is the end of the day."""

    weekday: int
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class BusyRules:
    """What of one calendar blocks, and under which label.

    Asked in this order, the first that answers holds: the calendar does not block at all; cancelled or declined is
    free; `always` (by category or title); `never`; then what the event says of itself. Categories and title
    patterns are compared without regard to case and accents; `*` in a title pattern stands for any text.
    `labels`: category -> what its blocks are called; empty: every block is masked.
    """

    blocks: bool = True
    tentative: bool = True
    elsewhere: bool = False
    all_day: AllDay = AllDay.BUSY
    all_day_categories: tuple[str, ...] = ()
    always_categories: tuple[str, ...] = ()
    always_titles: tuple[str, ...] = ()
    never_categories: tuple[str, ...] = ()
    never_titles: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    minimum_minutes: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category that these rules ask about."""
        return (*self.all_day_categories, *self.always_categories, *self.never_categories, *self.labels)

    @property
    def titles(self) -> tuple[str, ...]:
        """Every title pattern that these rules ask about."""
        return (*self.always_titles, *self.never_titles)


class Reason(StrEnum):
    """Why a component of an event blocks or not, for people."""

    CALENDAR = "this calendar does not block"
    CANCELLED = "cancelled, or declined by the owner"
    ALWAYS_CATEGORY = "its category always blocks"
    ALWAYS_TITLE = "its title is one that always blocks"
    NEVER_CATEGORY = "its category never blocks"
    NEVER_TITLE = "its title is one that never blocks"
    FREE = "shown as free"
    TENTATIVE = "tentative"
    ELSEWHERE = "working elsewhere"
    ALL_DAY = "all-day"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Verdict:
    busy: bool
    reason: Reason


def decide(times: EventTimes, rules: BusyRules) -> EventTimes:
    """The event's times with the rules' verdict in each component: BUSY or FREE, and the label of its blocks."""
    components = tuple(_decided(component, rules) for component in times.components)
    return times if all(map(is_, components, times.components)) else EventTimes(components)


def _decided(component: ComponentTimes, rules: BusyRules) -> ComponentTimes:
    busy = verdict(component, rules).busy
    availability = Availability.BUSY if busy else Availability.FREE
    label = _label(component, rules) if busy else ""
    if (component.availability, component.label) == (availability, label):
        return component
    return replace(component, availability=availability, label=label)


def verdict(component: ComponentTimes, rules: BusyRules) -> Verdict:
    """Does this component block, and which rule says so?"""
    matches = component.matches
    if not rules.blocks:
        return Verdict(False, Reason.CALENDAR)
    if component.availability is Availability.CANCELLED:
        return Verdict(False, Reason.CANCELLED)
    for busy, categories, titles, by_category, by_title in (
        (True, rules.always_categories, rules.always_titles, Reason.ALWAYS_CATEGORY, Reason.ALWAYS_TITLE),
        (False, rules.never_categories, rules.never_titles, Reason.NEVER_CATEGORY, Reason.NEVER_TITLE),
    ):
        if any(category_id(each) in matches for each in categories):
            return Verdict(busy, by_category)
        if any(title_id(each) in matches for each in titles):
            return Verdict(busy, by_title)
    return _by_itself(component, rules)


def _by_itself(component: ComponentTimes, rules: BusyRules) -> Verdict:
    match component.availability:
        case Availability.FREE:
            return Verdict(False, Reason.FREE)
        case Availability.TENTATIVE if not rules.tentative:
            return Verdict(False, Reason.TENTATIVE)
        case Availability.ELSEWHERE if not rules.elsewhere:
            return Verdict(False, Reason.ELSEWHERE)
    if not isinstance(component.start, datetime) and not _takes_its_days(component, rules):
        return Verdict(False, Reason.ALL_DAY)
    return Verdict(True, Reason.BUSY)


def _takes_its_days(component: ComponentTimes, rules: BusyRules) -> bool:
    match rules.all_day:
        case AllDay.BUSY:
            return True
        case AllDay.NEVER:
            return False
        case AllDay.OUT_OF_OFFICE:
            named = any(category_id(each) in component.matches for each in rules.all_day_categories)
            return named or component.availability is Availability.OUT_OF_OFFICE


def _label(component: ComponentTimes, rules: BusyRules) -> str:
    return next((label for name, label in rules.labels.items() if category_id(name) in component.matches), "")


def matters(
    start: datetime, end: datetime, rules: BusyRules, *, length: timedelta | None = None
) -> tuple[tuple[datetime, datetime], ...]:
    """The parts of a wall-clock interval that lie in the hours that matter, in order and apart; all of it when none
    are set.

    Nothing of what is shorter than `minimum_minutes`: its length as the event has it (`length`, which the clock may
    show longer or shorter; a whole day is 24 hours), before any cut.
    """
    if (length if length is not None else end - start) < timedelta(minutes=rules.minimum_minutes):
        return ()
    if not rules.hours:
        return ((start, end),)
    parts: list[tuple[datetime, datetime]] = []
    for begin, last in sorted(_hours_between(start, end, rules.hours)):
        if parts and begin <= parts[-1][1]:
            parts[-1] = parts[-1][0], max(parts[-1][1], last)
        else:
            parts.append((begin, last))
    return tuple(parts)


def _hours_between(start: datetime, end: datetime, hours: tuple[Hours, ...]) -> Iterator[tuple[datetime, datetime]]:
    for ordinal in range(start.date().toordinal(), end.date().toordinal() + 1):
        day = date.fromordinal(ordinal)
        for each in hours:
            if each.weekday != day.weekday():
                continue
            begin = max(start, datetime.combine(day, each.start))
            last = datetime.combine(day if each.end > each.start else date.fromordinal(ordinal + 1), each.end)
            if begin < min(end, last):
                yield begin, min(end, last)


# --- categories and titles -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Patterns:
    """Every category and title pattern that some rule asks about."""

    categories: frozenset[str] = frozenset()
    titles: frozenset[str] = frozenset()

    @classmethod
    def of(cls, rules: Iterable[BusyRules]) -> Patterns:
        """All that these rules ask about."""
        every = tuple(rules)
        return cls(
            frozenset(name for each in every for name in each.categories),
            frozenset(pattern for each in every for pattern in each.titles),
        )

    @property
    def digest(self) -> str:
        """Equal for equal patterns: tells whether a calendar was read with these. "" without any."""
        ids = sorted({*map(category_id, self.categories), *map(title_id, self.titles)})
        return hashlib.sha256("\n".join(ids).encode()).hexdigest() if ids else ""

    def matches_of(self, component: EventComponent) -> frozenset[str]:
        """Ids of the patterns that a component matches: all that is kept of its categories and its title."""
        if not self.categories and not self.titles:
            return frozenset()
        own = {_plain(category) for category in component.categories}
        title = _plain(component.summary)
        return frozenset(
            {
                *(category_id(each) for each in self.categories if _known(each) in own),
                *(title_id(each) for each in self.titles if _fits(title, _known(each))),
            }
        )


@lru_cache(maxsize=2048)  # of texts of the configuration
def category_id(category: str) -> str:
    """The name under which a match of this category is kept."""
    return "c" + _digest(category)


@lru_cache(maxsize=2048)
def title_id(pattern: str) -> str:
    """The name under which a match of this title pattern is kept."""
    return "t" + _digest(pattern)


def _digest(text: str) -> str:
    return hashlib.sha256(_plain(text).encode()).hexdigest()[:16]


def _plain(text: str) -> str:
    """Without case, accents and doubled spaces: how people take two texts for the same."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(each for each in decomposed if not unicodedata.combining(each)).split())


_known = lru_cache(maxsize=2048)(_plain)
"""For texts of the configuration only: a title is not to be remembered."""


def _fits(title: str, pattern: str) -> bool:
    """`*` stands for any text. Looked for from left to right, so the work is bounded by the lengths."""
    first, *rest = pattern.split("*")
    if not rest:
        return title == first
    *middle, last = rest
    if len(title) < len(first) + len(last) or not title.startswith(first) or not title.endswith(last):
        return False
    place, stop = len(first), len(title) - len(last)
    for part in middle:
        found = title.find(part, place, stop)
        if found < 0:
            return False
        place = found + len(part)
    return place <= stop


def known_matches(matches: Collection[str], rules: BusyRules) -> tuple[str, ...]:
    """What of these rules the matches mean, for people: the category or the pattern as the rules write it."""
    named = [(category_id(each), f"category {each}") for each in dict.fromkeys(rules.categories)]
    named += [(title_id(each), f"title {each}") for each in dict.fromkeys(rules.titles)]
    return tuple(text for key, text in named if key in matches)
