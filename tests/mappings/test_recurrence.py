"""Expansion: names of occurrences, guards, cost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.records import Recurrence
from mappings.recurrence import Occurrence, occurrences
from mappings.times import ComponentTimes, EventTimes, times_of
from tests.mappings.ical_rows import PARIS, ZONES, event

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 4, 27, tzinfo=UTC)
NINE = "DTSTART;TZ=Paris:20260302T090000 DTEND;TZ=Paris:20260302T100000"


def expand(text: str, start: datetime = START, end: datetime = END) -> tuple[Occurrence, ...]:
    return occurrences(times_of(event(text)), start, end, PARIS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(NINE, [""], id="a single event has no name"),
        pytest.param("DTSTART:20260302", [""], id="nor has a single day"),
        pytest.param(NINE + " RRULE:FREQ=DAILY;COUNT=2", ["20260302T080000Z", "20260303T080000Z"], id="zoned: UTC"),
        pytest.param(
            "DTSTART:20260302T090000 DTEND:20260302T100000 RRULE:FREQ=DAILY;COUNT=2",
            ["20260302T090000", "20260303T090000"],
            id="floating: local",
        ),
        pytest.param("DTSTART:20260302 RRULE:FREQ=DAILY;COUNT=2", ["20260302", "20260303"], id="all-day: the date"),
        pytest.param(
            NINE + " RRULE:FREQ=DAILY;COUNT=2---RECURRENCE-ID;TZ=Paris:20260303T090000"
            " DTSTART;TZ=Paris:20260310T140000 DTEND;TZ=Paris:20260310T150000",
            ["20260302T080000Z", "20260303T080000Z"],
            id="a moved one keeps its original start",
        ),
        pytest.param(
            NINE + " RRULE:FREQ=DAILY;COUNT=3---RECURRENCE-ID;TZ=Paris;RANGE=THISANDFUTURE:20260303T090000"
            " DTSTART;TZ=Paris:20260303T140000 DTEND;TZ=Paris:20260303T150000",
            ["20260302T080000Z", "20260303T080000Z", "20260304T080000Z"],
            id="this and future: each its own original start",
        ),
        pytest.param(
            "RECURRENCE-ID;TZ=Paris:20260303T090000 " + NINE, ["20260303T080000Z"], id="an override without master"
        ),
        pytest.param("RECURRENCE-ID:20260303 " + NINE, ["20260303"], id="an override named by its day"),
    ],
)
def test_names_of_occurrences(text: str, expected: list[str]) -> None:
    assert [each.recurrence_id for each in expand(text)] == expected


def test_a_second_master_under_the_same_uid_occupies_its_own_time() -> None:
    found = expand(NINE + "---DTSTART:20260303 DTEND:20260304")
    assert [(each.start.day, each.all_day) for each in found] == [(2, False), (2, True)]


def test_all_day_occurrence_has_its_days_and_the_instants_of_the_agents_zone() -> None:
    (found,) = expand("DTSTART:20260329 DTEND:20260331")
    assert found == Occurrence(
        "",
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 30, 22, tzinfo=UTC),  # after the change of clocks
        all_day=True,
        first_day=date(2026, 3, 29),
        last_day=date(2026, 3, 30),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (NINE + " RRULE:FREQ=MINUTELY", "sub-daily rule"),
        (NINE + " RRULE:FREQ=HOURLY;COUNT=2", "sub-daily rule"),
        (NINE + " RRULE:FREQ=DAILY;BYHOUR=9,10;BYMINUTE=" + ",".join(map(str, range(13))), "sub-daily rule"),
        ("DTSTART;TZ=Paris:20260302T100000 DTEND;TZ=Paris:20260302T090000", "ends before it starts"),
        ("DTSTART;TZ=Paris:20260302T100000 DTEND;TZ=Paris:20260302T090000 RRULE:FREQ=DAILY", "ends before it starts"),
        ("DTSTART:20260303 DTEND:20260302", "ends before it starts"),
        ("DTSTART:20260303 DTEND:20260304T100000", "day"),
        ("DTSTART:20260303T100000 DTEND:20260304", "day"),
        ("DTSTART:00010101T100000 DTEND:00010101T110000 RRULE:FREQ=WEEKLY;COUNT=3;WKST=SU", "out of range"),
        (NINE + "".join(f" RRULE:FREQ=DAILY;INTERVAL={n}" for n in range(1, 22)), "recurrence rules"),
        (NINE + " RRULE:FREQ=LUNAR", "without a known frequency"),
    ],
)
def test_item_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadItem, match=reason) as caught:
        expand(text)
    assert caught.value.system == "calendar"


@pytest.mark.parametrize(
    "text",
    [
        NINE + " RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))),
        "DTSTART:20000302 DTEND:20100302 RRULE:FREQ=DAILY",
        "DTSTART:20200101 RDATE:" + ",".join(f"{START.date() + timedelta(days=n):%Y%m%d}" for n in range(2_100)),
    ],
    ids=["hour by hour", "ten years each day", "dates"],
)
def test_more_occurrences_than_an_agenda_holds_are_refused(text: str) -> None:
    with pytest.raises(BadItem, match="more than 2000 occurrences"):
        expand(text, END - timedelta(days=300), END + timedelta(days=2_000))


def test_five_years_of_a_daily_series_are_not_too_many() -> None:
    assert len(expand(NINE + " RRULE:FREQ=DAILY", START, START.replace(year=2031))) == 1826


@pytest.mark.parametrize(
    "text",
    [
        "DTSTART;TZ=Paris:19700101T090000 DTEND;TZ=Paris:19700101T100000 RRULE:FREQ=DAILY",
        "DTSTART:19700101 RRULE:FREQ=DAILY",
        "DTSTART:19700101T090000Z DTEND:19700101T100000Z RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "DTSTART:00020101T090000 DTEND:00020101T100000 RRULE:FREQ=MONTHLY;BYDAY=-1FR",
        NINE.replace("2026", "1970") + " RRULE:FREQ=MINUTELY TRANSP:TRANSPARENT",
    ],
)
def test_old_series_costs_no_more_than_a_new_one(text: str) -> None:
    def cost() -> float:
        begun = process_time()
        occurrences(times, START, END, PARIS)
        return process_time() - begun

    times = times_of(event(text))
    assert min(cost() for _ in range(3)) < 0.05


def test_impossible_rule_costs_little() -> None:
    times = times_of(event(NINE + " RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"))
    begun = process_time()
    assert len(occurrences(times, START, END, PARIS)) == 1  # DTSTART itself
    assert process_time() - begun < 1.5  # 3 s when dateutil walks from 2026 to 9999


@given(
    first=st.datetimes(datetime(2020, 1, 1), datetime(2026, 4, 20)).map(lambda t: t.replace(second=0, microsecond=0)),
    minutes=st.integers(1, 3_000),
    rule=st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY", "FREQ=WEEKLY;COUNT=150"]),
    cut=st.integers(1, 55),
    zone=st.sampled_from(sorted(ZONES)),
)
def test_two_windows_give_what_one_window_over_both_gives(
    first: datetime, minutes: int, rule: str, cut: int, zone: str
) -> None:
    """An occurrence never depends on the window through which it is seen."""
    start = first.replace(tzinfo=ZONES[zone])
    end = (first + timedelta(minutes=minutes)).replace(tzinfo=ZONES[zone])
    if end.astimezone(UTC) < start.astimezone(UTC):
        return  # within the skipped hour: refused, see above
    times = EventTimes((ComponentTimes(start, end, Recurrence(rules=(rule,))),))
    middle = START + timedelta(days=cut)
    both = {*occurrences(times, START, middle, PARIS), *occurrences(times, middle, END, PARIS)}
    assert both == set(occurrences(times, START, END, PARIS))
    assert all(each.start < each.end for each in both)
