"""Rules give what the definition of their parts says, day by day (RFC 5545 section 3.3.10): no walk, no shortcut.

A day is in a period of the rule, matches every part or not, and has its times; BYSETPOS chooses in the period.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mappings.rules import Frequency, Rule, format_rule, parse_rule, starts

DAY = timedelta(days=1)


def defined(rule: Rule, first: datetime, last: date) -> list[datetime]:
    """Every start from `first` to the end of `last`, COUNT and UNTIL left aside."""
    found: list[datetime] = []
    for days in periods(rule, first.date(), last):
        times = [
            time(*each)
            for each in product(rule.by_hour or [first.hour], rule.by_minute or [first.minute], [first.second])
        ]
        chosen = [
            datetime.combine(day, each) for day in days if matches(rule, first.date(), day) for each in sorted(times)
        ]
        if rule.by_position:
            kept = {p - 1 if p > 0 else len(chosen) + p for p in rule.by_position}
            chosen = [each for index, each in enumerate(chosen) if index in kept]
        found += [each for each in chosen if first <= each and each.date() <= last]
    return sorted(found)


def periods(rule: Rule, first: date, last: date) -> Iterator[list[date]]:
    """The days of every period (day, week, month, year) that INTERVAL leaves."""
    day = opening(rule, first)
    index = 0
    while day <= last:
        following = day + DAY
        while opening(rule, following) == day:
            following += DAY
        if index % rule.interval == 0:
            yield [day + n * DAY for n in range((following - day).days)]
        day, index = following, index + 1


def opening(rule: Rule, day: date) -> date:
    match rule.frequency:
        case Frequency.YEARLY:
            return day.replace(month=1, day=1)
        case Frequency.MONTHLY:
            return day.replace(day=1)
        case Frequency.WEEKLY:
            return day - (day.weekday() - rule.week_start) % 7 * DAY
    return day


def matches(rule: Rule, first: date, day: date) -> bool:
    length = 366 if calendar.isleap(day.year) else 365
    month_length = calendar.monthrange(day.year, day.month)[1]
    month_days = {day.day, day.day - month_length - 1}
    year_days = {day.timetuple().tm_yday, day.timetuple().tm_yday - length - 1}
    if rule.by_month and day.month not in rule.by_month:
        return False
    if rule.by_month_day and not month_days & set(rule.by_month_day):
        return False
    if rule.by_year_day and not year_days & set(rule.by_year_day):
        return False
    if rule.by_week_number and not weeks(rule, day) & set(rule.by_week_number):
        return False
    if rule.by_day:
        return any(day.weekday() == wanted and (not n or n in ordinals(rule, day)) for n, wanted in rule.by_day)
    return of_start(rule, first, day)


def ordinals(rule: Rule, day: date) -> set[int]:
    """Which weekday of its kind a day is: in its month, or in its year where no BYMONTH is beside a yearly rule."""
    if rule.frequency is Frequency.YEARLY and not rule.by_month:
        begin, end = date(day.year, 1, 1), date(day.year, 12, 31)
    else:
        begin, end = day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
    return {(day - begin).days // 7 + 1, -((end - day).days // 7 + 1)}


def weeks(rule: Rule, day: date) -> set[int]:
    """The number of a day's week, from both ends: the week that has four days or more of a year is its first."""
    begin = day - (day.weekday() - rule.week_start) % 7 * DAY
    year = (begin + 3 * DAY).year

    def first_week(of: int) -> date:
        fourth = date(of, 1, 4)
        return fourth - (fourth.weekday() - rule.week_start) % 7 * DAY

    number = (begin - first_week(year)).days // 7 + 1
    return {number, number - 1 - (first_week(year + 1) - first_week(year)).days // 7}


def of_start(rule: Rule, first: date, day: date) -> bool:
    """What a rule leaves out comes from DTSTART."""
    if rule.by_month_day or rule.by_year_day:
        return True
    match rule.frequency:
        case Frequency.YEARLY if rule.by_week_number:
            return day.weekday() == first.weekday()
        case Frequency.YEARLY:
            return day.day == first.day and (bool(rule.by_month) or day.month == first.month)
        case Frequency.MONTHLY:
            return day.day == first.day
        case Frequency.WEEKLY:
            return day.weekday() == first.weekday()
    return True


def some(low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(low, high).filter(bool), min_size=1, max_size=3, unique=True).map(
        lambda numbers: tuple(sorted(numbers))
    )


def weekdays(most: int) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    """Weekdays with ordinals up to `most`; without any for 0."""
    ordinals = st.integers(-most, most).filter(bool) if most else st.just(0)
    days = st.lists(st.tuples(ordinals, st.integers(0, 6)), min_size=1, max_size=3, unique=True)
    return days.map(lambda chosen: tuple(sorted(chosen)))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    frequency = draw(st.sampled_from([f for f in Frequency if f <= Frequency.DAILY]))
    fields: dict[str, st.SearchStrategy[object]] = {
        "by_month": some(1, 12),
        "by_hour": st.sampled_from([(8,), (8, 14)]),
        "by_minute": st.sampled_from([(0,), (0, 30)]),
        "by_position": some(-5, 5),
        "by_day": weekdays(0),
        "week_start": st.integers(0, 6),
        "interval": st.integers(1, 4),
    }
    match frequency:
        case Frequency.MONTHLY:
            fields |= {"by_month_day": some(-31, 31), "by_day": st.one_of(weekdays(0), weekdays(5))}
        case Frequency.DAILY:
            fields |= {"by_month_day": some(-31, 31)}
        case Frequency.YEARLY:
            fields |= {
                "by_month_day": some(-31, 31),
                "by_year_day": some(-366, 366),
                "by_day": st.one_of(weekdays(0), weekdays(5), weekdays(53)),
            }
            if draw(st.booleans()):
                fields |= {"by_week_number": some(-53, 53), "by_day": weekdays(0)}
    chosen = draw(st.sets(st.sampled_from(sorted(fields)), max_size=5))
    rule = Rule(frequency, **{name: draw(fields[name]) for name in sorted(chosen)})  # type: ignore[arg-type]
    # BYSETPOS chooses among what another part gives.
    others = any(getattr(rule, name) for name in fields if name.startswith("by_") and name != "by_position")
    assume(others or not rule.by_position)
    return rule


@settings(max_examples=400)
@given(
    rule=rules(),
    first=st.datetimes(datetime(2019, 1, 1), datetime(2026, 3, 1)).map(lambda t: t.replace(second=0, microsecond=0)),
    day=st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    days=st.integers(1, 800),
)
def test_dates_are_those_of_the_definition(rule: Rule, first: datetime, day: date, days: int) -> None:
    assert parse_rule(format_rule(rule)) == rule
    last = day + days * DAY
    expected = [each for each in defined(rule, first, last) if each.date() >= day]
    window = (datetime.combine(day, time.min), datetime.combine(last, time.max))
    assert list(starts(rule, first, None, window)) == expected
