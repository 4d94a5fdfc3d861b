"""Times as the server reads and writes them, and its iCalendar text."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox import times
from gateway.sandbox.absences import monthly, weekly
from gateway.sandbox.ical import absence_calendar

PARIS_ONCE = st.datetimes(datetime(2018, 1, 1), datetime(2031, 1, 1)).map(lambda typed: typed.replace(microsecond=0))


@given(PARIS_ONCE)
def test_what_is_typed_is_shown_again_unless_it_does_not_exist(typed: datetime) -> None:
    stored = times.stored_from_wall_clock(typed)
    exists = typed.replace(tzinfo=times.PARIS).astimezone(UTC).astimezone(times.PARIS).replace(tzinfo=None) == typed
    assert (times.wall_clock(stored) == typed) == exists
    if exists:
        assert times.shown_in("Indian/Reunion", stored) == f"{typed:%Y-%m-%d %H:%M:%S} +0400"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-03-02", "2026-03-01 23:00:00"),
        ("2026-07-01 09:00", "2026-07-01 07:00:00"),
        ("2026-03-02 09:00:00 +0100", "2026-03-02 08:00:00"),
        ("2026-03-02T09:00:00+04:00", "2026-03-02 05:00:00"),
        ("2026-03-02T09:00:00Z", "2026-03-02 09:00:00"),
    ],
)
def test_filters_are_read_in_all_forms(text: str, stored: str) -> None:
    assert times.parse_filter(text) == stored


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("9:5", "09:05:00"),
        ("09:05:07", "09:05:07"),
        (time(9, 5), "09:05:00"),
        ("8h", None),
        ("24:00", None),
        ("9", None),
        ("", None),
        (None, None),
    ],
)
def test_times_of_day_are_read_loosely(text: object, read: str | None) -> None:
    assert times.parse_time(text) == read


def test_rules_have_the_servers_quirks() -> None:
    assert weekly(["MO", "SA"], every=3) == "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,SA;"
    assert monthly("2TU", until=date(2026, 6, 1)) == "FREQ=MONTHLY;INTERVAL=1;BYDAY=2TU;UNTIL=20260601T000000;"


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=200))
def test_any_title_survives_in_an_icalendar_text_with_short_lines(title: str) -> None:
    text = absence_calendar(
        absence_id=1,
        title=title,
        start=datetime(2026, 3, 2, 9),
        end=datetime(2026, 3, 2, 10),
        zone="Europe/Paris",
        rrule=None,
        stamp=datetime(2026, 3, 2, tzinfo=UTC),
    )
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    [event] = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert event["SUMMARY"] == f"RDV Solidarités {title}"
    assert event["UID"] == "absence_1@RDV Solidarités"
    assert event.end.utcoffset() == event.start.utcoffset()
