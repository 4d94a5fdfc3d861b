"""Recurrence rules (RFC 5545 section 3.3.10): read tolerantly, written canonically, expanded within bounds.

A rule is hostile input: one invitation with `FREQ=MINUTELY` can keep a process busy for ever. So a rule is parsed
into numbers and codes (no text of a person survives), refused when it repeats within the day beyond reason, and
walked only over the window that is asked for. Pure: times here are wall-clocks of the series, zones are the
caller's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from itertools import islice

from dateutil import rrule

from connectors.errors import BadItem
from connectors.records import EventTime

SYSTEM = "calendar"

MOST_TIMES_PER_DAY = 24
"""BYHOUR x BYMINUTE x BYSECOND beyond this is a sub-daily rule in disguise."""

MOST_COUNTED_YEARS = 200
"""A rule with COUNT is walked from its start: not over more years than this."""

_MOST_IN_A_MONTH, _MOST_IN_A_YEAR = 5, 53
_CYCLE = 400
_LAST_YEAR = 9999
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?", re.ASCII)


class Frequency(IntEnum):
    """FREQ, by dateutil's own numbers: the larger, the more often."""

    YEARLY = rrule.YEARLY
    MONTHLY = rrule.MONTHLY
    WEEKLY = rrule.WEEKLY
    DAILY = rrule.DAILY
    HOURLY = rrule.HOURLY
    MINUTELY = rrule.MINUTELY
    SECONDLY = rrule.SECONDLY


@dataclass(frozen=True, slots=True)
class Rule:
    """One RRULE, validated. `until` keeps the form it was written in: date, UTC (aware) or local (naive).

    `by_day`: (ordinal or 0, weekday with Monday 0). The other tuples hold the numbers as in the RFC, sorted.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: EventTime | None = None
    by_month: tuple[int, ...] = ()
    by_week_number: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()
    week_start: int = 0


_NUMBERS = {  # part: (field, lowest, highest, is zero allowed)
    "BYMONTH": ("by_month", 1, 12, False),
    "BYWEEKNO": ("by_week_number", -53, 53, False),
    "BYYEARDAY": ("by_year_day", -366, 366, False),
    "BYMONTHDAY": ("by_month_day", -31, 31, False),
    "BYHOUR": ("by_hour", 0, 23, True),
    "BYMINUTE": ("by_minute", 0, 59, True),
    "BYSECOND": ("by_second", 0, 60, True),
    "BYSETPOS": ("by_position", -366, 366, False),
}

_SAID_ANYWAY = {("RSCALE", "GREGORIAN"), ("RSCALE", "GREGORY"), ("SKIP", "OMIT")}
"""RFC 7529 parts that say what holds without them."""


def parse_rule(text: str, *, system: str = SYSTEM) -> Rule:
    """Read the value of an RRULE. Raises `BadItem` when its meaning is not clear.

    Tolerated, because servers and clients write it and the meaning is clear: the property name in front, empty
    parts, lower case, INTERVAL=0, COUNT of zero or less (no limit), parts that begin with X-, the Gregorian
    RSCALE, a leap second.
    """
    parts: dict[str, str] = {}
    for piece in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, _, value = piece.partition("=")
        if name.strip():
            parts[name.strip()] = value.strip()
    frequency = parts.pop("FREQ", "")
    if frequency not in Frequency.__members__:
        raise BadItem("recurrence rule without a known frequency", system=system)
    fields: dict[str, object] = {"frequency": Frequency[frequency]}
    for name, value in parts.items():
        if value and not name.startswith("X-") and (name, value) not in _SAID_ANYWAY:
            fields.update(_part(name, value, system))
    return Rule(**fields)  # type: ignore[arg-type]  # names and types are those of _part


def _part(name: str, value: str, system: str) -> dict[str, object]:
    if name in _NUMBERS:
        return _numbers(name, value, system)
    match name:
        case "INTERVAL":
            return {"interval": max(1, _number(value, 0, 10_000, system))}
        case "COUNT":
            count = _number(value, -999_999_999, 999_999_999, system)
            return {"count": count if count > 0 else None}
        case "UNTIL":
            return {"until": _until(value, system)}
        case "WKST" if value in _WEEKDAYS:
            return {"week_start": _WEEKDAYS.index(value)}
        case "BYDAY":
            return {"by_day": tuple(sorted({_day(one.strip(), system) for one in value.split(",")}))}
    raise BadItem("recurrence rule with an unknown part", system=system)


def _numbers(name: str, value: str, system: str) -> dict[str, object]:
    field, lowest, highest, zero = _NUMBERS[name]
    numbers = {_number(one.strip(), lowest, highest, system) for one in value.split(",")}
    if 0 in numbers and not zero:
        raise BadItem("recurrence rule with a number out of range", system=system)
    if name == "BYSECOND":  # 60 is a leap second, which no clock here has
        numbers = {min(number, 59) for number in numbers}
    return {field: tuple(sorted(numbers))}


def _number(text: str, lowest: int, highest: int, system: str) -> int:
    if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
        raise BadItem("recurrence rule with a number out of range", system=system)
    return int(text)


def _day(text: str, system: str) -> tuple[int, int]:
    match = _DAY.fullmatch(text)
    if not match or not -53 <= int(match[1] or 0) <= 53:
        raise BadItem("recurrence rule with an unknown weekday", system=system)
    return int(match[1] or 0), _WEEKDAYS.index(match[2])


def _until(text: str, system: str) -> EventTime:
    match = _UNTIL.fullmatch(text)
    try:
        if match and match[2] is None:
            return date.fromisoformat(match[1])
        if match:
            until = datetime.fromisoformat(f"{match[1]}T{match[2]}")
            return until.replace(tzinfo=UTC) if match[3] else until
    except ValueError:
        pass
    raise BadItem("recurrence rule with an unreadable UNTIL", system=system)


def basic_form(time: EventTime) -> str:
    """RFC 5545 basic form without a zone: `20250303`, `20250303T090000`, and `...Z` for UTC."""
    if not isinstance(time, datetime):
        return time.isoformat().replace("-", "")
    text = time.replace(tzinfo=None, microsecond=0).isoformat().replace("-", "").replace(":", "")
    return text + "Z" if time.tzinfo is UTC else text


def format_rule(rule: Rule) -> str:
    """The canonical text: fixed order of parts, sorted values, defaults left out. Equal rules, equal texts."""
    parts = [f"FREQ={rule.frequency.name}"]
    if rule.interval != 1:
        parts.append(f"INTERVAL={rule.interval}")
    if rule.count is not None:
        parts.append(f"COUNT={rule.count}")
    if rule.until is not None:
        parts.append(f"UNTIL={basic_form(rule.until)}")
    for name, (field, *_) in _NUMBERS.items():
        if name == "BYHOUR" and rule.by_day:
            parts.append("BYDAY=" + ",".join(f"{n or ''}{_WEEKDAYS[day]}" for n, day in rule.by_day))
        if numbers := getattr(rule, field):
            parts.append(f"{name}=" + ",".join(map(str, numbers)))
    if rule.week_start:
        parts.append(f"WKST={_WEEKDAYS[rule.week_start]}")
    return ";".join(parts)


def refuse_unbounded(rule: Rule, *, system: str = SYSTEM) -> None:
    """Raise `BadItem` for a rule that repeats within the day: no agenda means that, and expanding it is an attack."""
    times = max(1, len(rule.by_hour)) * max(1, len(rule.by_minute)) * max(1, len(rule.by_second))
    if rule.frequency > Frequency.DAILY or times > MOST_TIMES_PER_DAY:
        raise BadItem("sub-daily rule", system=system)


def starts(
    rule: Rule, first: datetime, until: datetime | None, window: tuple[datetime, datetime]
) -> Iterator[datetime]:
    """Wall-clock starts that the rule gives within the window, both ends included, in order.

    `first`: DTSTART as a wall-clock; given back only if the rule itself gives it. `until`: UNTIL as a wall-clock
    of the series, inclusive (`rule.until` is not looked at). Raises `BadItem` for a rule that is refused, whose
    parts contradict each other, or whose COUNT would have to be counted over centuries.

    Work is bounded by the window, not by the age of the series nor by its rule:

    * The walk begins with the period (day, week, month or year, times INTERVAL) in which the window begins. What a
      rule gives in one period depends on nothing before it, except with COUNT, which is walked from its start.
    * dateutil walks a rule that never matches (30 February) up to the year 9999. The Gregorian calendar repeats
      every 400 years to the weekday, so the walk is done in the last such cycle, where that end is near.
    """
    refuse_unbounded(rule)
    earliest, latest = window
    if latest < first:
        return
    full = _with_defaults(rule, first)
    days = tuple(day for day in full.by_day if abs(day[0]) <= _most_weekdays(full))
    if full.by_day and not days:
        return
    full = replace(full, by_day=days)
    origin = _period(full, first, None if full.count is not None else earliest)
    if latest.year - origin.year > MOST_COUNTED_YEARS + 2 * full.interval:
        raise BadItem("recurrence rule counted over centuries", system=SYSTEM)
    shift = (_LAST_YEAR - latest.year) // _CYCLE * _CYCLE
    lifted_first = first.replace(year=first.year + shift)
    walk = (start for start in _walk(full, origin.replace(year=origin.year + shift)) if start >= lifted_first)
    for lifted in islice(walk, full.count):
        start = lifted.replace(year=lifted.year - shift)
        if start > latest or (until is not None and start > until):
            return
        if start >= earliest:
            yield start


def _with_defaults(rule: Rule, first: datetime) -> Rule:
    """What the rule leaves out is taken from DTSTART (RFC 5545 section 3.3.10, end), said explicitly."""
    rule = replace(
        rule,
        by_hour=rule.by_hour or (first.hour,),
        by_minute=rule.by_minute or (first.minute,),
        by_second=rule.by_second or (first.second,),
    )
    if rule.by_day or rule.by_month_day or rule.by_year_day:
        return rule
    weekday = ((0, first.weekday()),)
    match rule.frequency:
        case Frequency.YEARLY if rule.by_week_number:
            return replace(rule, by_day=weekday)
        case Frequency.YEARLY:
            return replace(rule, by_month=rule.by_month or (first.month,), by_month_day=(first.day,))
        case Frequency.MONTHLY:
            return replace(rule, by_month_day=(first.day,))
        case Frequency.WEEKLY:
            return replace(rule, by_day=weekday)
    return rule


def _most_weekdays(rule: Rule) -> int:
    """How many Mondays a period that BYDAY counts in can have. dateutil looks for the eighth of a December beyond its
    tables."""
    counts_in_months = rule.frequency is Frequency.MONTHLY or (rule.frequency is Frequency.YEARLY and rule.by_month)
    return _MOST_IN_A_MONTH if counts_in_months else _MOST_IN_A_YEAR


def _period(rule: Rule, first: datetime, earliest: datetime | None) -> datetime:
    """Midnight that begins a period of the rule: the one of DTSTART, or of `earliest` if later."""
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    ahead = max(midnight, earliest) if earliest else midnight
    if rule.frequency >= Frequency.WEEKLY:
        length = rule.interval * (7 if rule.frequency is Frequency.WEEKLY else 1)
        back = (midnight.weekday() - rule.week_start) % 7 if rule.frequency is Frequency.WEEKLY else 0
        skipped = (ahead - midnight).days // length
        return midnight + timedelta(days=skipped * length - back)
    yearly = rule.frequency is Frequency.YEARLY
    length = rule.interval * (12 if yearly else 1)
    month = midnight.year * 12 + (0 if yearly else midnight.month - 1)
    skipped = (ahead.year * 12 + ahead.month - 1 - month) // length
    year, index = divmod(month + skipped * length, 12)
    return midnight.replace(year=year, month=index + 1, day=1)


def _walk(rule: Rule, origin: datetime) -> Iterator[datetime]:
    try:
        walk = rrule.rrule(
            int(rule.frequency),  # type: ignore[arg-type]  # the stub wants a Literal
            dtstart=origin,
            interval=rule.interval,
            wkst=rule.week_start,
            bysetpos=rule.by_position or None,
            bymonth=rule.by_month or None,
            bymonthday=rule.by_month_day or None,
            byyearday=rule.by_year_day or None,
            byweekno=rule.by_week_number or None,
            byweekday=[rrule.weekday(day, n or None) for n, day in rule.by_day] or None,
            byhour=rule.by_hour,
            byminute=rule.by_minute,
            bysecond=rule.by_second,
        )
    except ValueError as error:
        raise BadItem("recurrence rule that contradicts itself", system=SYSTEM) from error
    yield from walk
