"""A feed is strict iCalendar, says nothing of when it was written, and no text of an RDV leaves its value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import OurBug
from connectors.icalendar_feed import FeedEntry, FeedHead, Version, render_feed
from connectors.records import EventStatus, Transparency
from connectors.vtimezones import VTIMEZONES

PARIS = ZoneInfo("Europe/Paris")
HEAD = FeedHead("Mes rendez-vous", timedelta(hours=1), "steelblue", "fr", "https://cal.example/ical/secret.ics")
FIRST = Version(0, datetime(2026, 2, 1, 12, tzinfo=UTC))
NINE = datetime(2026, 3, 2, 9, tzinfo=PARIS)


def entry(uid: str = "a", **changes: Any) -> FeedEntry:
    made = FeedEntry(uid, NINE, NINE + timedelta(minutes=30), "Rendez-vous")
    return replace(made, **changes)


def read(*entries: FeedEntry, head: FeedHead = HEAD) -> Any:
    """By icalendar, which names what it had to set aside."""
    calendar = icalendar.Calendar.from_ical(render_feed(head, [(each, FIRST) for each in entries]))
    assert calendar.errors == []
    for event in calendar.walk("VEVENT"):
        assert event.errors == []
    return calendar


def test_a_feed_says_what_readers_ask_for() -> None:
    lines = render_feed(HEAD, [(entry(), FIRST)]).decode().split("\r\n")
    assert lines == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//rdv-gateway//NONSGML rdv-gateway//FR",
        "CALSCALE:GREGORIAN",
        "NAME;LANGUAGE=fr:Mes rendez-vous",
        "X-WR-CALNAME:Mes rendez-vous",
        "COLOR:steelblue",
        "REFRESH-INTERVAL;VALUE=DURATION:PT60M",
        "X-PUBLISHED-TTL:PT60M",
        "SOURCE;VALUE=URI:https://cal.example/ical/secret.ics",
        *VTIMEZONES["Europe/Paris"],
        "BEGIN:VEVENT",
        "UID:a",
        "DTSTAMP:20260201T120000Z",
        "LAST-MODIFIED:20260201T120000Z",
        "SEQUENCE:0",
        "DTSTART;TZID=Europe/Paris:20260302T090000",
        "DTEND;TZID=Europe/Paris:20260302T093000",
        "SUMMARY:Rendez-vous",
        "CLASS:PRIVATE",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


def test_an_empty_feed_is_a_calendar() -> None:
    assert len(read().walk("VEVENT")) == 0


def test_the_order_in_which_entries_are_given_changes_no_byte() -> None:
    three = [(entry(uid), FIRST) for uid in "cab"]
    assert render_feed(HEAD, three) == render_feed(HEAD, reversed(three))


@pytest.mark.parametrize("zone", sorted(VTIMEZONES))
@pytest.mark.parametrize("day", [date(2026, 1, 15), date(2026, 7, 15), date(2026, 10, 26), date(2027, 3, 15)])
def test_wall_clock_and_instant_are_read_back_in_every_french_zone(zone: str, day: date) -> None:
    start = datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo(zone))
    event = read(entry(start=start, end=start + timedelta(hours=1))).walk("VEVENT")[0]
    assert event.start.replace(tzinfo=None) == start.replace(tzinfo=None)
    assert event.start.astimezone(UTC) == start.astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (datetime(2026, 10, 25, 2, 30, tzinfo=PARIS), "DTSTART;TZID=Europe/Paris:20261025T023000"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1), "DTSTART:20261025T013000Z"),
        (datetime(2026, 3, 2, 9, tzinfo=ZoneInfo("Asia/Tokyo")), "DTSTART:20260302T000000Z"),
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "DTSTART:20260302T090000Z"),
    ],
)
def test_a_time_that_a_zone_cannot_name_alone_is_in_utc(start: datetime, said: str) -> None:
    end = (start.astimezone(UTC) + timedelta(hours=2)).astimezone(start.tzinfo)
    assert said in render_feed(HEAD, [(entry(start=start, end=end), FIRST)]).decode().split("\r\n")


def test_a_series_and_whole_days() -> None:
    series = entry("s", rule="FREQ=WEEKLY;BYDAY=MO")
    days = entry("d", start=date(2026, 3, 2), end=date(2026, 3, 4))
    text = render_feed(HEAD, [(series, FIRST), (days, FIRST)]).decode()
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO\r\n" in text
    assert "DTSTART;VALUE=DATE:20260302\r\nDTEND;VALUE=DATE:20260304\r\n" in text
    read(series, days)


@pytest.mark.parametrize(
    "changes",
    [
        {"end": NINE},
        {"end": date(2026, 3, 3)},
        {"start": NINE.replace(tzinfo=None)},
        {"rule": "FREQ=WEEKLY\r\nATTENDEE:mailto:a@example.org"},
        {"rule": "FREQ=WEEKLY", "start": NINE.replace(tzinfo=ZoneInfo("Asia/Tokyo"))},
    ],
)
def test_an_entry_that_makes_no_sense_is_our_bug(changes: dict[str, Any]) -> None:
    with pytest.raises(OurBug):
        render_feed(HEAD, [(entry(**changes), FIRST)])


NASTY = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from('\r\n\t\x00\x0b\x0c\x85\u2028\u2029\ufeff\\;,:"=é🗓\U0001f469\u200d\U0001f467'),
    ),
    max_size=200,
)
INJECTED = "RDV\r\nATTENDEE:mailto:x@example.org\nEND:VEVENT\r\rBEGIN:VALARM"


@given(NASTY, NASTY, NASTY, NASTY)
def test_no_text_leaves_its_value_nor_is_a_character_cut(
    summary: str, location: str, description: str, name: str
) -> None:
    texts = {"summary": summary + INJECTED, "location": location + INJECTED, "description": description + INJECTED}
    given_entry = entry(**texts, url=f"https://rdv.example/{summary}\r\nMETHOD:REQUEST")
    body = render_feed(replace(HEAD, name=name + INJECTED), [(given_entry, FIRST)])
    physical = body.split(b"\r\n")
    assert all(len(line) <= 75 for line in physical)
    assert not any(byte < 32 and byte != 9 for line in physical for byte in line)
    for line in physical:
        line.decode()  # each by itself: no character is cut
    names = [line.split(":")[0].split(";")[0] for line in body.decode().replace("\r\n ", "").split("\r\n")]
    assert names.count("BEGIN") == names.count("END") == 5  # calendar, zone and its two parts, event
    assert not {"ATTENDEE", "METHOD", "ORGANIZER"} & set(names)
    calendar = icalendar.Calendar.from_ical(body)
    event = calendar.walk("VEVENT")[0]
    assert calendar.errors == event.errors == []
    assert str(event["SUMMARY"]).endswith("RDV ATTENDEE:mailto:x@example.org END:VEVENT  BEGIN:VALARM")


def test_what_became_of_an_entry_is_told() -> None:
    gone = entry(status=EventStatus.CANCELLED, transparency=Transparency.TRANSPARENT)
    text = render_feed(HEAD, [(gone, Version(3, FIRST.changed_at))]).decode()
    assert "STATUS:CANCELLED\r\nTRANSP:TRANSPARENT\r\n" in text
    assert "SEQUENCE:3\r\n" in text
