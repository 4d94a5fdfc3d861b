"""Recurrence rules: reading, writing, bounds, and the same dates as dateutil gives when it walks from DTSTART."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import BadItem
from mappings.rules import Frequency, format_rule, parse_rule, refuse_unbounded, starts

FIRST = datetime(2026, 3, 2, 9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=WEEKLY", "FREQ=WEEKLY"),
        ("RRULE:FREQ=WEEKLY", "FREQ=WEEKLY"),
        ("freq=weekly;byday=mo;", "FREQ=WEEKLY;BYDAY=MO"),
        ("BYDAY=FR,MO;INTERVAL=1;FREQ=WEEKLY;WKST=MO", "FREQ=WEEKLY;BYDAY=MO,FR"),
        ("WKST=SU;COUNT=3;FREQ=WEEKLY;INTERVAL=2", "FREQ=WEEKLY;INTERVAL=2;COUNT=3;WKST=SU"),
        ("FREQ=MONTHLY;BYDAY=+1TU,-1FR", "FREQ=MONTHLY;BYDAY=-1FR,1TU"),
        ("FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1"),
        ("FREQ=DAILY;COUNT=-1", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=0", "FREQ=DAILY"),
        ("FREQ=DAILY;BYMONTH=;X-NOTE=chez Mme Martin", "FREQ=DAILY"),
        ("FREQ=DAILY;RSCALE=GREGORIAN;SKIP=OMIT", "FREQ=DAILY"),
        ("FREQ=DAILY;UNTIL=20260304", "FREQ=DAILY;UNTIL=20260304"),
        ("FREQ=DAILY;UNTIL=20260304T090000", "FREQ=DAILY;UNTIL=20260304T090000"),
        ("FREQ=DAILY;UNTIL=20260304T090000Z", "FREQ=DAILY;UNTIL=20260304T090000Z"),
        ("FREQ=DAILY;BYSECOND=60", "FREQ=DAILY;BYSECOND=59"),
        ("FREQ=HOURLY", "FREQ=HOURLY"),
    ],
)
def test_rule_is_written_canonically(text: str, expected: str) -> None:
    assert format_rule(parse_rule(text)) == expected
    assert parse_rule(expected) == parse_rule(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chez Mme Martin",
        "FREQ=",
        "FREQ=FORTNIGHTLY",
        "INTERVAL=2",
        "FREQ=DAILY;BYEASTER=1",
        "FREQ=DAILY;RSCALE=CHINESE",
        "FREQ=DAILY;INTERVAL=99999999",
        "FREQ=DAILY;INTERVAL=two",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=MONTHLY;BYDAY=99MO",
        "FREQ=DAILY;UNTIL=20261332",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;WKST=XX",
    ],
)
def test_rule_without_a_clear_meaning_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(BadItem) as caught:
        parse_rule(text)
    assert caught.value.system == "calendar"
    assert "Martin" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=HOURLY",
        "FREQ=MINUTELY;COUNT=2",
        "FREQ=SECONDLY;UNTIL=20260304",
        "FREQ=DAILY;BYHOUR=9;BYMINUTE=" + ",".join(map(str, range(25))),
        "FREQ=YEARLY;BYHOUR=1,2;BYMINUTE=1,2,3,4,5;BYSECOND=1,2,3",
    ],
)
def test_rule_that_repeats_within_the_day_is_refused(text: str) -> None:
    with pytest.raises(BadItem, match="sub-daily rule"):
        refuse_unbounded(parse_rule(text))
    with pytest.raises(BadItem, match="sub-daily rule"):
        list(starts(parse_rule(text), FIRST, None, (FIRST, FIRST)))


def test_a_few_times_a_day_are_let_pass() -> None:
    refuse_unbounded(parse_rule("FREQ=DAILY;BYHOUR=8,10,12;BYMINUTE=0,30"))


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYSETPOS=300",
        "FREQ=YEARLY;BYMONTH=12;BYDAY=8MO",
        "FREQ=MONTHLY;BYDAY=53SU,-6MO",
    ],
)
def test_impossible_rule_gives_nothing(text: str) -> None:
    assert list(starts(parse_rule(text), FIRST, None, (FIRST, FIRST + timedelta(days=400)))) == []


def test_count_over_centuries_is_refused() -> None:
    rule = parse_rule("FREQ=DAILY;COUNT=900000")
    with pytest.raises(BadItem, match="centuries"):
        list(starts(rule, datetime(1601, 1, 1), None, (FIRST, FIRST)))


def test_position_counts_in_the_whole_month_of_dtstart() -> None:
    """The second Monday-or-Tuesday of March 2026 is the 3rd, although the series begins on that day."""
    rule = parse_rule("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=2")
    found = starts(rule, datetime(2026, 3, 3, 9), None, (FIRST, datetime(2026, 4, 30)))
    assert list(found) == [datetime(2026, 3, 3, 9), datetime(2026, 4, 7, 9)]


@st.composite
def rule_texts(draw: st.DrawFn) -> str:
    def some(low: int, high: int) -> str:
        numbers = st.integers(low, high).filter(bool)
        return ",".join(map(str, draw(st.lists(numbers, min_size=1, max_size=3, unique=True))))

    frequency = draw(st.sampled_from([f for f in Frequency if f <= Frequency.DAILY]))
    parts = [f"FREQ={frequency.name}", f"INTERVAL={draw(st.integers(1, 5))}"]
    optional = {
        "BYMONTH": lambda: some(1, 12),
        "BYMONTHDAY": lambda: some(-31, 31),
        "BYDAY": lambda: ",".join(draw(st.lists(st.sampled_from(["MO", "WE", "SU"]), min_size=1, max_size=2))),
        "BYHOUR": lambda: some(1, 23),
        "WKST": lambda: draw(st.sampled_from(["MO", "SU", "TH"])),
        "COUNT": lambda: str(draw(st.integers(1, 400))),
    }
    if frequency is Frequency.YEARLY:
        optional["BYYEARDAY"] = lambda: some(-366, 366)
    chosen = draw(st.sets(st.sampled_from(sorted(optional)), max_size=3))
    return ";".join([*parts, *(f"{name}={optional[name]()}" for name in sorted(chosen))])


@settings(deadline=None)  # dateutil alone takes seconds for a rule that never matches
@given(
    text=rule_texts(),
    first=st.datetimes(datetime(2000, 1, 1), datetime(2026, 4, 1)).map(lambda t: t.replace(microsecond=0)),
    days=st.integers(1, 90),
)
def test_same_dates_as_a_walk_from_the_start(text: str, first: datetime, days: int) -> None:
    """Beginning near the window and lifting it by whole cycles of 400 years changes nothing."""
    window = (FIRST, FIRST + timedelta(days=days))
    walk = takewhile(lambda start: start <= window[1], rrulestr(text, dtstart=first))
    expected = [start for start in walk if start >= window[0]]
    assert list(starts(parse_rule(text), first, None, window)) == expected


@given(rule_texts())
def test_canonical_text_is_stable(text: str) -> None:
    canonical = format_rule(parse_rule(text))
    assert format_rule(parse_rule(canonical)) == canonical
