"""The mirror of an absence, there and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.records import Absence, Classification, EventTime, Transparency
from mappings.absence_event import absence_draft, absence_span, absence_times, refuse_outside_bounds
from mappings.recurrence import occurrences
from mappings.times import times_of
from mappings.wallclock import to_instant, to_wall
from tests.mappings.ical_rows import PARIS, ZONES, event
from tests.mappings.samples import IDENTITY, absence, stored


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-02T00:00", "2026-03-02T23:59", (date(2026, 3, 2), date(2026, 3, 3))),
        ("2026-03-02T00:00", "2026-03-04T23:59:59", (date(2026, 3, 2), date(2026, 3, 5))),
        (
            "2026-03-02T09:00",
            "2026-03-02T10:30",
            (datetime(2026, 3, 2, 8, tzinfo=UTC), datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ),
        (
            "2026-03-02T00:00",
            "2026-03-03T00:00",
            (datetime(2026, 3, 1, 23, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC)),
        ),
    ],
)
def test_times_of_the_mirror(start: str, end: str, expected: tuple[EventTime, EventTime]) -> None:
    made = absence_draft(absence(start, end), PARIS, IDENTITY)
    assert (made.start, made.end) == expected


def test_mirror_is_private_and_busy_with_the_absences_title() -> None:
    made = absence_draft(absence("2026-03-02T09:00", "2026-03-02T10:00", title=" Formation\nPMI "), PARIS, IDENTITY)
    assert (made.summary, made.classification, made.transparency) == (
        "Formation PMI",
        Classification.PRIVATE,
        Transparency.OPAQUE,
    )
    assert (made.uid, made.marker) == (IDENTITY.mirror_uid(412, 12), IDENTITY.mirror_marker(412, 12))
    assert "Formation" not in repr(made)


minutes = st.datetimes(datetime(2018, 1, 1), datetime(2031, 1, 1)).map(lambda t: t.replace(second=0, microsecond=0))
near_changes = st.sampled_from([datetime(2026, 3, 29), datetime(2026, 10, 25)]).flatmap(
    lambda day: st.integers(-60, 300).map(lambda n: day + timedelta(minutes=n))
)
midnights = minutes.map(lambda t: t.replace(hour=0, minute=0))
spans = st.tuples(minutes | near_changes | midnights, st.integers(1, 6_000)).map(
    lambda pair: (pair[0], pair[0] + timedelta(minutes=pair[1]))
)
whole_days = st.tuples(midnights, st.integers(1, 30)).map(lambda p: (p[0], p[0] + timedelta(days=p[1], minutes=-1)))


@given(spans | whole_days, st.sampled_from(list(ZONES.values())))
def test_there_and_back(span: tuple[datetime, datetime], zone) -> None:
    """For every wall-clock that a clock shows, the repeated hour included."""
    assume(all(to_wall(to_instant(wall, zone), zone) == wall for wall in span))
    record = Absence(1, 2, "x", *span)
    assert absence_times(times_of(stored(absence_draft(record, zone, IDENTITY))), zone) == span
    assert absence_span(record) == span


def test_the_last_second_of_a_day_is_its_last_minute() -> None:
    record = absence("2026-03-02T00:00", "2026-03-02T23:59:59")
    back = absence_times(times_of(stored(absence_draft(record, PARIS, IDENTITY))), PARIS)
    assert back == absence_span(record) == (datetime(2026, 3, 2), datetime(2026, 3, 2, 23, 59))


@pytest.mark.parametrize(
    ("rrule", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260330T000000;", "FREQ=WEEKLY;INTERVAL=2;UNTIL=20260330T215959Z"),
        ("FREQ=WEEKLY;UNTIL=20260315T230000Z", "FREQ=WEEKLY;UNTIL=20260316T225959Z"),
        ("FREQ=WEEKLY;UNTIL=20260316T225959Z", "FREQ=WEEKLY;UNTIL=20260316T225959Z"),
        ("FREQ=MONTHLY;BYDAY=1MO;UNTIL=20260601", "FREQ=MONTHLY;UNTIL=20260601T215959Z;BYDAY=1MO"),
        ("FREQ=MONTHLY;INTERVAL=1;BYDAY=3TU;UNTIL=20261103T090000;", "FREQ=MONTHLY;UNTIL=20261103T225959Z;BYDAY=3TU"),
        ("FREQ=WEEKLY;INTERVAL=5;BYDAY=MO,TU,WE,TH,FR,SA;", "FREQ=WEEKLY;INTERVAL=5;BYDAY=MO,TU,WE,TH,FR,SA"),
        ("RRULE:freq=weekly;;interval=;until=;", "FREQ=WEEKLY"),
    ],
)
def test_odd_rules_become_right_ones(rrule: str, expected: str) -> None:
    made = absence_draft(absence("2026-03-02T09:00", "2026-03-02T10:00", rrule), PARIS, IDENTITY)
    assert made.recurrence.rules == (expected,)
    assert made.start == datetime(2026, 3, 2, 9, tzinfo=PARIS)
    assert isinstance(made.start, datetime)
    assert made.start.tzinfo is PARIS  # in UTC the series would move with the clocks


def test_recurring_absence_makes_these_busy_days_its_last_one_too() -> None:
    record = absence("2026-03-23T09:00", "2026-03-23T10:00", "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260406T000000;")
    times = times_of(stored(absence_draft(record, PARIS, IDENTITY)))
    found = occurrences(times, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), PARIS)
    assert [f"{to_wall(each.start, PARIS):%m%dT%H%M}" for each in found] == ["0323T0900", "0330T0900", "0406T0900"]


def test_whole_days_recur_as_days() -> None:
    record = absence("2026-03-02T00:00", "2026-03-02T23:59", "FREQ=WEEKLY;UNTIL=20260316T000000")
    made = absence_draft(record, PARIS, IDENTITY)
    assert (made.start, made.end, made.recurrence.rules) == (
        date(2026, 3, 2),
        date(2026, 3, 3),
        ("FREQ=WEEKLY;UNTIL=20260316",),
    )


@pytest.mark.parametrize(
    "rrule", ["", ";", "FREQ=;BYDAY=MO", "FREQ=HOURLY", "FREQ=WEEKLY;UNTIL=demain", "{every: week}"]
)
def test_rule_that_cannot_be_used_sets_the_absence_aside(rrule: str) -> None:
    with pytest.raises(BadItem) as caught:
        absence_draft(absence("2026-03-02T09:00", "2026-03-02T10:00", rrule), PARIS, IDENTITY)
    assert caught.value.system == "rdv_solidarites"


def test_absence_without_length_is_set_aside() -> None:
    with pytest.raises(BadItem, match="does not end"):
        absence_draft(absence("2026-03-02T09:00", "2026-03-02T09:00"), PARIS, IDENTITY)


@pytest.mark.parametrize(
    ("start", "end", "taken"),
    [
        ("2018-01-01T00:00", "2018-01-01T01:00", True),
        ("2017-12-31T23:00", "2018-01-01T01:00", False),
        ("2031-03-02T00:00", "2031-03-02T23:59", True),
        ("2031-03-02T00:00", "2031-03-03T00:00", False),
    ],
)
def test_times_that_the_api_refuses_are_refused_before_it_is_asked(start: str, end: str, taken: bool) -> None:
    """On 2 March 2026: from 2018 to five years ahead."""
    span = datetime.fromisoformat(start), datetime.fromisoformat(end)
    if taken:
        refuse_outside_bounds(*span, date(2026, 3, 2))
        return
    with pytest.raises(BadItem, match=r"from 01\.01\.2018 to 02\.03\.2031 only"):
        refuse_outside_bounds(*span, date(2026, 3, 2))


ONE = "DTSTART;TZ=Paris:20260302T090000 DTEND;TZ=Paris:20260302T100000"


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        (ONE, "2026-03-02T09:00", "2026-03-02T10:00"),
        ("DTSTART:20260302T090000 DTEND:20260302T100000", "2026-03-02T09:00", "2026-03-02T10:00"),
        ("DTSTART:20260302", "2026-03-02T00:00", "2026-03-02T23:59"),
        ("DTSTART:20260302 DTEND:20260302", "2026-03-02T00:00", "2026-03-02T23:59"),
        ("DTSTART:20260302 DTEND:20260305", "2026-03-02T00:00", "2026-03-04T23:59"),
        ("DTSTART:20261025T004500Z DTEND:20261025T011500Z", "2026-10-25T02:00", "2026-10-25T03:00"),
    ],
)
def test_times_of_the_absence(text: str, start: str, end: str) -> None:
    expected = (datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert absence_times(times_of(event(text)), PARIS) == expected


@pytest.mark.parametrize(
    "text",
    [
        ONE + " RRULE:FREQ=DAILY",
        ONE + " RDATE:20260303T080000Z",
        ONE + "---RECURRENCE-ID:20260302T080000Z " + ONE,
        "RECURRENCE-ID:20260302T080000Z " + ONE,
        "DTSTART:20260302T090000Z DTEND:20260302T090000Z",
        "DTSTART:20260302T100000Z DTEND:20260302T090000Z",
        "DTSTART:20260302 DTEND:20260302T090000Z",
    ],
)
def test_what_one_absence_cannot_hold(text: str) -> None:
    with pytest.raises(BadItem):
        absence_times(times_of(event(text)), PARIS)
