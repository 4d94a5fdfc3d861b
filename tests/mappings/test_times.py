"""The times-only shape: what is busy, what is kept, and that no text of a person gets through."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.records import CalendarEvent, EventComponent, EventStatus, EventTime, Recurrence, Transparency
from mappings.times import Availability, ComponentTimes, EventTimes, canonical_time, dump_times, load_times, times_of
from tests.mappings.ical_rows import PARIS, ZONES

WHEN = datetime(2026, 3, 2, 9, tzinfo=PARIS)


def single(**changes: object) -> CalendarEvent:
    return CalendarEvent("uid", (EventComponent(WHEN, WHEN + timedelta(hours=1), **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "busy"),
    [
        ({}, True),
        ({"status": EventStatus.TENTATIVE}, True),
        ({"status": EventStatus.CANCELLED}, False),
        ({"transparency": Transparency.TRANSPARENT}, False),
        ({"declined": True}, False),
    ],
)
def test_busy(changes: dict[str, object], busy: bool) -> None:
    assert times_of(single(**changes)).components[0].busy is busy


def test_dump_reads_like_this() -> None:
    """The stored form is a contract with databases that exist."""
    recurrence = Recurrence(("byday=mo;freq=weekly;",), (date(2026, 3, 5),), (), (datetime(2026, 3, 9, 8, tzinfo=UTC),))
    assert dump_times(times_of(single(recurrence=recurrence, transparency=Transparency.TRANSPARENT))) == (
        '{"components":[{"dates":["20260305"],"end":"20260302T100000 Europe/Paris","excluded":["20260309T080000Z"],'
        '"is":"free","rules":["FREQ=WEEKLY;BYDAY=MO"],"start":"20260302T090000 Europe/Paris"}],"v":2}'
    )


@given(st.text(min_size=1).map(lambda text: "Rdv chez Mme Martin " + text))
def test_no_text_of_a_person_is_dumped(text: str) -> None:
    rule = f"FREQ=DAILY;X-WHY={text.replace(';', '').replace('=', '')}"
    event = single(summary=text, location=text, description=text, url=text, recurrence=Recurrence(rules=(rule,)))
    assert "Martin" not in dump_times(times_of(event))


@pytest.mark.parametrize("rule", ["chez Mme Martin", "FREQ=DAILY;BYDAY=Martin"])
def test_unreadable_rule_is_refused_without_quoting_it(rule: str) -> None:
    with pytest.raises(BadItem) as caught:
        times_of(single(recurrence=Recurrence(rules=(rule,))))
    assert "Martin" not in str(caught.value)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (datetime(2026, 3, 2, 9, 0, 0, 5), datetime(2026, 3, 2, 9)),
        (datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 3, 2, 8, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (date(2026, 3, 2), date(2026, 3, 2)),
    ],
)
def test_canonical_time(time: EventTime, expected: EventTime) -> None:
    found = canonical_time(time)
    assert found == expected
    assert type(found) is type(expected)
    if isinstance(found, datetime) and isinstance(expected, datetime):
        assert found.tzinfo == expected.tzinfo


seconds = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda time: time.replace(microsecond=0))
event_times = st.one_of(
    st.dates(),
    seconds,
    seconds.map(lambda time: time.replace(tzinfo=UTC)),
    st.builds(lambda time, zone: time.replace(tzinfo=zone), seconds, st.sampled_from(list(ZONES.values()))),
)
some_times = st.lists(event_times, max_size=3).map(tuple)
components = st.builds(
    ComponentTimes,
    event_times,
    event_times,
    st.builds(
        Recurrence,
        st.sampled_from([(), ("FREQ=DAILY",), ("FREQ=WEEKLY;UNTIL=20260101T000000Z;BYDAY=MO", "FREQ=YEARLY")]),
        some_times,
        st.lists(st.tuples(event_times, event_times), max_size=2).map(tuple),
        some_times,
    ),
    st.none() | event_times,
    st.booleans(),
    st.sampled_from(Availability),
    st.frozensets(st.text(max_size=3), max_size=2),
)


def kinds(times: EventTimes) -> list[object]:
    """Zones too: aware datetimes are equal across zones."""
    return [
        getattr(time, "tzinfo", type(time))
        for each in times.components
        for time in (each.start, each.end, each.recurrence_id, *each.recurrence.dates, *each.recurrence.excluded)
    ]


@given(st.lists(components, min_size=1, max_size=3).map(tuple).map(EventTimes))
def test_load_gives_back_what_was_dumped(times: EventTimes) -> None:
    text = dump_times(times)
    loaded = load_times(text)
    assert loaded == times
    assert kinds(loaded) == kinds(times)
    assert dump_times(loaded) == text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v":3,"components":[]}', '{"v":1,"components":[{}]}'])
def test_load_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match="not event times"):
        load_times(text)


def test_zone_that_is_no_longer_known_sets_the_event_aside() -> None:
    text = dump_times(EventTimes((ComponentTimes(WHEN, WHEN),))).replace("Europe/Paris", "Europe/Nowhere")
    with pytest.raises(BadItem, match="unknown time zone"):
        load_times(text)
