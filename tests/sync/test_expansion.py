"""What is remembered of expansions: never another answer than a fresh one, and no work for what did not change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.records import Recurrence
from gateway.sync.planning import expansion
from gateway.sync.planning.expansion import Expansions, Stretch, Window
from mappings.recurrence import Occurrence, occurrences
from mappings.times import ComponentTimes, EventTimes
from tests.sync.builders import PARIS

START = datetime(2026, 6, 2, 9, tzinfo=PARIS)


def series(rule: str = "FREQ=WEEKLY", *, length: int = 60, label: str = "") -> EventTimes:
    it = ComponentTimes(START, START + timedelta(minutes=length), Recurrence(rules=(rule,)), label=label)
    return EventTimes((it,))


def window(first: date, days: int = 56, zone: ZoneInfo = PARIS) -> Window:
    start = datetime(first.year, first.month, first.day, tzinfo=zone)
    return Window(start.astimezone(UTC), (start + timedelta(days=days)).astimezone(UTC), zone)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[EventTimes]:
    """Each event that is really expanded."""
    done: list[EventTimes] = []

    def counted(times: EventTimes, start: datetime, end: datetime, zone: ZoneInfo) -> tuple[Occurrence, ...]:
        done.append(times)
        return occurrences(times, start, end, zone)

    monkeypatch.setattr(expansion, "occurrences", counted)
    return done


def days(stretches: tuple[Stretch, ...]) -> list[date]:
    return [each.start.date() for each in stretches]


def test_an_unchanged_series_is_expanded_once(work: list[EventTimes]) -> None:
    known = Expansions()
    first = known.of(series(), window(date(2026, 6, 1)))
    assert known.of(series(), window(date(2026, 6, 1))) == first
    assert len(work) == 1
    assert len(first) == 8


def test_an_unchanged_series_rolls_into_the_horizon_when_its_next_date_comes() -> None:
    known = Expansions()
    today, in_a_week = (known.of(series(), window(date(2026, 6, day))) for day in (1, 8))
    assert days(in_a_week)[-1] == days(today)[-1] + timedelta(days=7)
    assert days(in_a_week)[0] == days(today)[1]


def test_another_zone_label_or_rule_is_another_expansion(work: list[EventTimes]) -> None:
    known = Expansions()
    reunion = ZoneInfo("Indian/Reunion")
    known.of(series(), window(date(2026, 6, 1)))
    assert known.of(series(), Window(*_instants(window(date(2026, 6, 1))), reunion))[0].start.hour == 11
    assert {each.label for each in known.of(series(label="Formation"), window(date(2026, 6, 1)))} == {"Formation"}
    assert len(known.of(series("FREQ=DAILY"), window(date(2026, 6, 1)))) == 55
    assert len(work) == 4


def _instants(of: Window) -> tuple[datetime, datetime]:
    return of.start, of.end


def test_what_cannot_be_expanded_is_remembered_as_such(work: list[EventTimes]) -> None:
    known = Expansions()
    for _ in range(2):
        with pytest.raises(BadItem, match="sub-daily rule"):
            known.of(series("FREQ=SECONDLY"), window(date(2026, 6, 1)))
    assert len(work) == 1


def test_the_least_recently_asked_for_is_forgotten_first(work: list[EventTimes]) -> None:
    known = Expansions(most=30)
    one, other, third = (series(length=minutes) for minutes in (10, 20, 30))
    for asked in (one, other, one, third, one, other):
        known.of(asked, window(date(2026, 6, 1)))
    assert work == [one, other, third, other]


def test_a_series_larger_than_all_that_may_be_remembered_is_expanded_all_the_same() -> None:
    known = Expansions(most=5)
    assert len(known.of(series("FREQ=DAILY"), window(date(2026, 6, 1)))) == 55
    assert len(known.of(series(), window(date(2026, 6, 1)))) == 8


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["FREQ=WEEKLY", "FREQ=DAILY;COUNT=9", "FREQ=MONTHLY", "FREQ=DAILY;INTERVAL=3"]),
            st.integers(1, 3),
            st.integers(0, 6),
        ),
        max_size=30,
    )
)
def test_what_is_remembered_is_what_a_fresh_expansion_says(asked: list[tuple[str, int, int]]) -> None:
    known = Expansions(most=60)
    for rule, hours, day in asked:
        times, at = series(rule, length=60 * hours), window(date(2026, 6, 1) + timedelta(days=day), days=20)
        assert known.of(times, at) == Expansions().of(times, at)


def test_a_whole_day_is_24_hours_long_and_a_night_of_25_as_long_as_it_is() -> None:
    day = EventTimes((ComponentTimes(date(2026, 10, 25), date(2026, 10, 26)),))
    night = datetime(2026, 10, 24, 20, tzinfo=PARIS), datetime(2026, 10, 25, 8, tzinfo=PARIS)
    (whole,), (long,) = (
        Expansions().of(EventTimes((each,)), window(date(2026, 10, 20)))
        for each in (day.components[0], ComponentTimes(*night))
    )
    assert (whole.length, whole.end) == (timedelta(hours=24), datetime(2026, 10, 25, 23, 59))
    assert long.length == timedelta(hours=13)
