"""From a file to items: what belongs together, what changed, and what is no whole calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.icalendar_text import parse_event
from connectors.ics.feed import Feed, OnlyFreeBusy, TooManyEvents, read_feed
from connectors.ics.structure import NotACalendar, NotWhole
from connectors.records import CalendarEvent, EventStatus, Transparency
from tests.connectors.ics.bench import HEAD, KEY, calendar, event, text

ZONE = text(
    "BEGIN:VTIMEZONE",
    "TZID:Customized Time Zone",
    "LAST-MODIFIED:20260101T000000Z",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
    "END:VTIMEZONE",
)
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=5"
MOVED = ("RECURRENCE-ID:20260608T070000Z", "SUMMARY:moved")


def read(body: bytes, **limits: int) -> Feed:
    return read_feed(body, **({"key": KEY, "event_limit": 100, "item_limit": 10_000} | limits))  # type: ignore[arg-type]


def names(feed: Feed) -> list[str]:
    return [entry.name for entry in feed.entries]


def parsed(feed: Feed) -> list[CalendarEvent | None]:
    return [parse_event(entry.body(), system="test") for entry in feed.entries]


def only(body: bytes) -> CalendarEvent:
    (found,) = parsed(read(body))
    assert found is not None
    return found


class TestBelonging:
    def test_a_series_and_its_exceptions_are_one_item_wherever_they_stand(self) -> None:
        feed = read(calendar(event("s", *MOVED), event("other"), event("s", WEEKLY)))
        assert names(feed) == ["s", "other"]
        (series, _) = parsed(feed)
        assert series is not None
        assert [component.recurrence_id is None for component in series.components] == [True, False]

    def test_an_exception_without_its_series_stands_alone(self) -> None:
        assert len(only(calendar(event("s", *MOVED))).components) == 1

    def test_what_is_there_twice_is_there_once(self) -> None:
        assert names(read(calendar(event("a"), event("a", "SEQUENCE:3")))) == ["a"]

    def test_different_events_under_one_uid_are_all_kept(self) -> None:
        later = {"start": "20260602T070000Z", "end": "20260602T080000Z"}
        feed = read(calendar(event("a"), event("a", **later)))
        assert len(set(names(feed))) == 2
        assert {each.components[0].start.day for each in parsed(feed) if each} == {1, 2}  # type: ignore[union-attr]

    def test_exceptions_go_with_the_only_series_under_their_uid(self) -> None:
        later = {"start": "20260602T070000Z", "end": "20260602T080000Z"}
        feed = read(calendar(event("a", **later), event("a", WEEKLY), event("a", *MOVED)))
        assert sorted(len(each.components) for each in parsed(feed) if each) == [1, 2]

    def test_exceptions_of_one_of_two_series_are_named_and_nothing_is_guessed(self) -> None:
        feed = read(calendar(event("a", WEEKLY), event("a", WEEKLY, "SUMMARY:x"), event("a", *MOVED), event("b")))
        assert [bool(entry.unreadable) for entry in feed.entries] == [True, False]
        assert "several events share its UID" in feed.entries[0].unreadable

    def test_events_without_uid_are_told_by_what_they_say(self) -> None:
        later = {"start": "20260602T070000Z", "end": "20260602T080000Z"}
        feed = read(calendar(event(""), event("", **later)))
        again = read(calendar(event("", **later), event("", "DTSTAMP:20270101T000000Z")))
        assert set(names(feed)) == set(names(again))
        assert len({each.uid for each in parsed(feed) if each}) == 2

    @pytest.mark.parametrize("uid", ["a/../b", "x" * 500, "é", "a b", "a?b#c", ".", ".."])
    def test_no_uid_leads_out_of_its_name(self, uid: str) -> None:
        (name,) = names(read(calendar(event(uid))))
        assert not set(name) & set("/?# é")
        assert len(name) <= 600
        assert only(calendar(event(uid))).uid == uid

    def test_several_calendars_in_one_file_are_all_read(self) -> None:
        assert names(read(calendar(event("a")) + calendar(event("b")))) == ["a", "b"]

    def test_tasks_journals_and_alarms_are_passed_over(self) -> None:
        alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "X-MOZ-LASTACK:20260101T000000Z", "TRIGGER:-PT5M", "END:VALARM")
        others = text("BEGIN:VTODO", "UID:t", "END:VTODO", "BEGIN:VJOURNAL", "UID:j", "END:VJOURNAL")
        feed = read(calendar(others, event("a", *alarm)))
        assert names(feed) == ["a"]
        assert feed.mark == read(calendar(event("a"))).mark


class TestVersions:
    @pytest.mark.parametrize(
        "noise",
        ["SEQUENCE:7", "LAST-MODIFIED:20270101T000000Z", "CREATED:20270101T000000Z", "DTSTAMP:20270101T000000Z"],
    )
    def test_stamps_are_no_change(self, noise: str) -> None:
        (one,), (other,) = read(calendar(event("a"))).entries, read(calendar(event("a", noise))).entries
        assert (one.version, one.body()) == (other.version, other.body())

    @pytest.mark.parametrize(
        "line", ["SUMMARY:other", "TRANSP:TRANSPARENT", "STATUS:CANCELLED", "X-MICROSOFT-CDO-BUSYSTATUS:FREE", WEEKLY]
    )
    def test_what_an_event_says_is_one(self, line: str) -> None:
        one, other = read(calendar(event("a"))), read(calendar(event("a", line)))
        assert one.entries[0].version != other.entries[0].version
        assert one.mark != other.mark

    def test_order_folding_and_line_ends_are_none(self) -> None:
        long = event("a", "SUMMARY:" + "é" * 80)
        at = long.index(b"SUMMARY:") + 41  # between the two bytes of a sign
        folded = long[:at] + b"\r\n " + long[at:]
        one = read(calendar(long, event("b")))
        other = read(calendar(event("b"), folded).replace(b"\r\n", b"\n"))
        assert one.mark == other.mark
        assert sorted(map(repr, parsed(one))) == sorted(map(repr, parsed(other)))

    def test_new_uids_alone_are_none_for_the_mark(self) -> None:
        assert read(calendar(event("a"))).mark == read(calendar(event("b"))).mark

    def test_an_event_more_or_less_is_one_even_if_it_says_the_same(self) -> None:
        assert read(calendar(event("a"), event("b"))).mark != read(calendar(event("a"))).mark
        assert read(calendar()).mark != read(calendar(event("a"))).mark

    def test_versions_cannot_be_computed_without_the_key(self) -> None:
        """They are kept in clear, and a title could be guessed by them."""
        body = calendar(event("a"))
        assert (
            read(body).entries[0].version != read_feed(body, key=b"?", event_limit=9, item_limit=999).entries[0].version
        )


class TestZones:
    def start(self, *lines: bytes, head: tuple[str, ...] = HEAD) -> object:
        return only(calendar(*lines, head=head)).components[0].start

    def test_a_zone_that_the_file_defines_goes_with_the_events_that_name_it(self) -> None:
        local = event("a", start="", end="").replace(
            b"END:VEVENT", b"DTSTART;TZID=Customized Time Zone:20260601T090000\r\nEND:VEVENT"
        )
        feed = read(calendar(ZONE, local, event("b")))
        assert [b"VTIMEZONE" in entry.body() for entry in feed.entries] == [True, False]
        (found, _) = parsed(feed)
        assert found is not None
        start = found.components[0].start
        assert isinstance(start, datetime)
        assert start.astimezone(UTC) == datetime(2026, 6, 1, 7, tzinfo=UTC)

    def test_a_floating_time_is_of_the_calendar_s_own_zone(self) -> None:
        floating = event("a", start="20260601T090000", end="20260601T100000")
        assert self.start(floating, head=(*HEAD, "X-WR-TIMEZONE:Indian/Reunion")) == datetime(
            2026, 6, 1, 9, tzinfo=ZoneInfo("Indian/Reunion")
        )

    @pytest.mark.parametrize("zone", [(), ("X-WR-TIMEZONE:Nowhere/Land",), ("X-WR-TIMEZONE:",)])
    def test_without_a_zone_that_can_be_resolved_it_floats(self, zone: tuple[str, ...]) -> None:
        floating = event("a", start="20260601T090000", end="20260601T100000")
        assert self.start(floating, head=(*HEAD, *zone)) == datetime(2026, 6, 1, 9)

    def test_days_and_times_in_utc_stay_what_they_are(self) -> None:
        head = (*HEAD, "X-WR-TIMEZONE:Indian/Reunion")
        assert self.start(event("a"), head=head) == datetime(2026, 6, 1, 7, tzinfo=UTC)
        day = event("a", start="", end="").replace(b"END:VEVENT", b"DTSTART;VALUE=DATE:20260601\r\nEND:VEVENT")
        assert str(self.start(day, head=head)) == "2026-06-01"

    def test_exceptions_of_a_floating_series_are_in_the_same_zone(self) -> None:
        lines = ("EXDATE:20260608T090000,20260615T090000", "RDATE:20260603T090000/PT1H", WEEKLY)
        floating = event("a", *lines, start="20260601T090000", end="20260601T100000")
        for zone in ("Europe/Paris", "UTC"):
            found = only(calendar(floating, head=(*HEAD, f"X-WR-TIMEZONE:{zone}"))).components[0].recurrence
            times = [time for time in (*found.excluded, *found.dates) if isinstance(time, datetime)]
            assert len(times) == 3
            assert {str(time.tzinfo) for time in times} == {zone}


class TestOutlook:
    """As Outlook on the web publishes "availability only": titles say the status, zones have Windows names."""

    HEAD = ("BEGIN:VCALENDAR", "METHOD:PUBLISH", "PRODID:Microsoft Exchange Server 2010", "X-WR-CALNAME:Calendrier")
    START = ("DTSTART;TZID=Romance Standard Time:20260601T090000", "DTEND;TZID=Romance Standard Time:20260601T100000")

    def published(self, status: str, *lines: str) -> CalendarEvent:
        known = (*self.START, "CLASS:PUBLIC", f"SUMMARY:{status}", f"X-MICROSOFT-CDO-BUSYSTATUS:{status.upper()}")
        zone = ZONE.replace(b"Customized Time Zone", b"Romance Standard Time")
        return only(calendar(zone, event("040000008200E0" * 8, *known, *lines, start=""), head=self.HEAD))

    def test_busy_time_is_busy_at_its_hour(self) -> None:
        (component,) = self.published("Busy").components
        assert component.transparency is Transparency.OPAQUE
        assert isinstance(component.start, datetime)
        assert component.start.astimezone(UTC) == datetime(2026, 6, 1, 7, tzinfo=UTC)

    def test_free_time_is_free(self) -> None:
        assert self.published("Free").components[0].transparency is Transparency.TRANSPARENT

    def test_tentative_time_is_tentative(self) -> None:
        assert self.published("Tentative", "TRANSP:OPAQUE").components[0].status is EventStatus.TENTATIVE


class TestLimits:
    def test_an_event_that_is_too_large_is_set_aside_alone(self) -> None:
        feed = read(calendar(event("big", "DESCRIPTION:" + "secret" * 500), event("b")), item_limit=1_000)
        assert [bool(entry.unreadable) for entry in feed.entries] == [True, False]
        assert "larger than 1,000 bytes" in feed.entries[0].unreadable
        assert "secret" not in repr(feed)

    def test_too_many_events_are_refused(self) -> None:
        body = calendar(*(event(f"e{number}") for number in range(6)))
        assert len(read(body, event_limit=6).entries) == 6
        with pytest.raises(TooManyEvents):
            read(body, event_limit=5)

    def test_one_event_that_cannot_be_understood_leaves_the_others(self) -> None:
        feed = read(calendar(event("bad", start="20261399T000000Z"), event("good")))
        bad, good = feed.entries
        with pytest.raises(BadItem):
            parse_event(bad.body(), system="test")
        assert parse_event(good.body(), system="test") is not None


class TestWholeness:
    WHOLE = calendar(ZONE, event("a", "SUMMARY:É"), event("b", WEEKLY))

    def test_no_part_of_a_file_is_taken_for_the_whole(self) -> None:
        """Whatever the byte at which a download breaks off."""
        ended = len(self.WHOLE.rstrip())
        for size in range(ended):
            with pytest.raises((NotWhole, NotACalendar)):
                read(self.WHOLE[:size])
        assert read(self.WHOLE[:ended]).mark == read(self.WHOLE).mark

    @pytest.mark.parametrize(
        "body", [b"", b"\r\n", b"<!DOCTYPE html><p>BEGIN:VCALENDAR", b"{}", b"BEGIN:VEVENT\r\nEND:VEVENT", b"\0\0"]
    )
    def test_something_else_is_no_calendar(self, body: bytes) -> None:
        with pytest.raises(NotACalendar):
            read(body)

    def test_what_follows_the_calendar_makes_it_doubtful(self) -> None:
        with pytest.raises(NotWhole, match="something else follows"):
            read(self.WHOLE + b"<b>Warning</b>: out of memory")

    def test_a_byte_order_mark_and_blanks_around_it_do_no_harm(self) -> None:
        assert read(b"\xef\xbb\xbf\r\n" + self.WHOLE + b"\r\n\0\x1a").mark == read(self.WHOLE).mark

    def test_an_empty_calendar_is_whole(self) -> None:
        assert read(calendar()).entries == ()

    def test_only_free_busy_times_are_no_calendar_to_follow(self) -> None:
        free_busy = text("BEGIN:VFREEBUSY", "UID:f", "FREEBUSY:20260601T070000Z/PT1H", "END:VFREEBUSY")
        with pytest.raises(OnlyFreeBusy):
            read(calendar(free_busy))
        assert names(read(calendar(free_busy, event("a")))) == ["a"]

    @given(
        st.lists(st.sampled_from([b"BEGIN:", b"END:", b"VCALENDAR", b"VEVENT", b"UID:a", b"\r\n", b" ", b":", b"\xff"]))
    )
    def test_no_input_ends_in_another_error(self, pieces: list[bytes]) -> None:
        try:
            feed = read(b"".join(pieces))
        except (NotWhole, NotACalendar):
            return
        for entry in feed.entries:
            with pytest.raises(BadItem):
                parse_event(entry.body(), system="test")


@pytest.mark.parametrize(
    ("line", "refresh"),
    [
        ("REFRESH-INTERVAL;VALUE=DURATION:PT12H", timedelta(hours=12)),
        ("X-PUBLISHED-TTL:P1DT30M", timedelta(days=1, minutes=30)),
        ("X-PUBLISHED-TTL:soon", timedelta()),
    ],
)
def test_the_publisher_s_wish_is_read(line: str, refresh: timedelta) -> None:
    assert read(calendar(head=(*HEAD, line))).refresh == refresh


def test_nothing_of_an_event_shows_in_a_repr() -> None:
    feed = read(calendar(event("secret", "SUMMARY:secret")))
    entry = replace(feed.entries[0], name="-")
    assert "secret" not in repr(entry)
