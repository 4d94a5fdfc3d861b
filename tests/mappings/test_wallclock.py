"""Wall-clock and instants, twice a year in particular."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.wallclock import outer_wall_interval, to_instant, to_wall
from tests.mappings.ical_rows import PARIS, ZONES

near_changes = st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-06-15"]).flatmap(
    lambda day: st.timedeltas(timedelta(hours=-4), timedelta(hours=30)).map(
        lambda ahead: datetime.fromisoformat(day).replace(tzinfo=UTC) + ahead
    )
)
zones = st.sampled_from(list(ZONES.values()))


@pytest.mark.parametrize(
    ("wall", "start", "end"),
    [
        ("2026-03-02T09:00", "2026-03-02T08:00", "2026-03-02T08:00"),
        ("2026-07-02T09:00", "2026-07-02T07:00", "2026-07-02T07:00"),
        ("2026-03-29T02:30", "2026-03-29T00:30", "2026-03-29T01:30"),  # skipped
        ("2026-10-25T02:30", "2026-10-25T00:30", "2026-10-25T01:30"),  # shown twice
        ("2026-10-25T03:00", "2026-10-25T02:00", "2026-10-25T02:00"),
    ],
)
def test_start_takes_the_earlier_reading_and_end_the_later(wall: str, start: str, end: str) -> None:
    shown = datetime.fromisoformat(wall)
    assert to_instant(shown, PARIS) == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert to_instant(shown, PARIS, start=False) == datetime.fromisoformat(end).replace(tzinfo=UTC)


@given(near_changes, zones)
def test_instant_lies_within_the_readings_of_what_its_clock_shows(instant: datetime, zone) -> None:
    wall = to_wall(instant, zone)
    assert wall.tzinfo is None
    assert instant in (to_instant(wall, zone), to_instant(wall, zone, start=False))


@given(near_changes, st.timedeltas(timedelta(microseconds=1), timedelta(hours=30)), zones, st.data())
def test_outer_interval_covers_all_that_the_clock_shows(start: datetime, length: timedelta, zone, data) -> None:
    lower, upper = outer_wall_interval(start, start + length, zone)
    assert lower < upper
    assert (lower.second, lower.microsecond, upper.second, upper.microsecond) == (0, 0, 0, 0)
    within = start + data.draw(st.timedeltas(timedelta(0), length - datetime.resolution))
    for instant in (start, within, start + length - datetime.resolution):
        assert lower <= to_wall(instant, zone) < upper


@given(near_changes, st.timedeltas(timedelta(microseconds=1), timedelta(hours=30)), zones)
def test_outer_interval_is_no_wider_than_the_repeated_hour_asks(start: datetime, length: timedelta, zone) -> None:
    lower, upper = outer_wall_interval(start, start + length, zone)
    assert upper - lower < length + timedelta(hours=2, minutes=2)
    repeated = any(
        to_instant(wall, zone) != to_instant(wall, zone, start=False)
        for wall in (to_wall(start, zone), to_wall(start + length - datetime.resolution, zone))
    )
    if not repeated:
        assert to_wall(start, zone) - lower < timedelta(minutes=1)
        assert upper - to_wall(start + length, zone) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("08:00:00", "09:00:00", ("09:00", "10:00")),
        ("08:00:01", "08:59:01", ("09:00", "10:00")),
        ("08:00:59.999999", "08:01:00.000001", ("09:00", "09:02")),
    ],
)
def test_rounding_is_outward_to_the_minute(start: str, end: str, expected: tuple[str, str]) -> None:
    instants = [datetime.fromisoformat(f"2026-03-02T{time}").replace(tzinfo=UTC) for time in (start, end)]
    assert tuple(f"{wall:%H:%M}" for wall in outer_wall_interval(*instants, PARIS)) == expected


def test_interval_has_to_end_after_its_start() -> None:
    instant = datetime(2026, 3, 2, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="starts before it ends"):
        outer_wall_interval(instant, instant, PARIS)
