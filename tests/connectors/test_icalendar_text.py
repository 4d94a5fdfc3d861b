"""Reading iCalendar files: what times mean, what is tolerated, what is set aside and how that is said."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.icalendar_text import parse_event
from connectors.records import (
    CalendarEvent,
    Classification,
    EventComponent,
    EventStatus,
    EventTime,
    Transparency,
)

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)


def file(*lines: str, outside: tuple[str, ...] = ()) -> bytes:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//FR", *outside, "BEGIN:VEVENT", "UID:u1")
    return "\r\n".join([*head, *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()


def event_of(*lines: str, outside: tuple[str, ...] = ()) -> CalendarEvent:
    event = parse_event(file(*lines, outside=outside), system="test")
    assert event is not None
    return event


def component_of(*lines: str, outside: tuple[str, ...] = ()) -> EventComponent:
    (component,) = event_of(*lines, outside=outside).components
    return component


def paris(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=PARIS, fold=fold)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (
            ["DTSTART:20260601T070000Z", "DTEND:20260601T080000Z"],
            datetime(2026, 6, 1, 7, tzinfo=UTC),
            datetime(2026, 6, 1, 8, tzinfo=UTC),
        ),
        (
            ["DTSTART;TZID=Europe/Paris:20260601T090000", "DURATION:PT90M"],
            paris(2026, 6, 1, 9),
            paris(2026, 6, 1, 10, 30),
        ),
        # A day is a day of the calendar, 24 hours are hours of the clock.
        (
            ["DTSTART;TZID=Europe/Paris:20261024T120000", "DURATION:P1D"],
            paris(2026, 10, 24, 12),
            paris(2026, 10, 25, 12),
        ),
        (
            ["DTSTART;TZID=Europe/Paris:20261024T120000", "DURATION:PT24H"],
            paris(2026, 10, 24, 12),
            paris(2026, 10, 25, 11),
        ),
        (
            ["DTSTART;TZID=Europe/Paris:20261024T120000", "DURATION:P1W"],
            paris(2026, 10, 24, 12),
            paris(2026, 10, 31, 12),
        ),
        (["DTSTART;VALUE=DATE:20260714"], date(2026, 7, 14), date(2026, 7, 15)),
        (["DTSTART;VALUE=DATE:20260714", "DTEND;VALUE=DATE:20260714"], date(2026, 7, 14), date(2026, 7, 15)),
        (["DTSTART:20260714", "DTEND:20260716"], date(2026, 7, 14), date(2026, 7, 16)),
        (["DTSTART;VALUE=DATE:20260714", "DURATION:PT48H"], date(2026, 7, 14), date(2026, 7, 16)),
        (["DTSTART:20260601T090000"], datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 9)),
        (["DTSTART:20260601T090000", "DTEND:20260601T100000"], datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 10)),
        # DTEND wins over a DURATION that should not be there (Zimbra).
        (
            ["DTSTART:20260601T090000", "DTEND:20260601T100000", "DURATION:PT5H"],
            datetime(2026, 6, 1, 9),
            datetime(2026, 6, 1, 10),
        ),
        (
            ["DTSTART;TZID=Europe/Paris:20260601T090000", "DTEND:20260601T100000"],
            paris(2026, 6, 1, 9),
            paris(2026, 6, 1, 10),
        ),
        (
            ["DTSTART:20261231T235960Z"],
            datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
        ),
        (["dtstart;tzid=Europe/Paris:20260601t090000"], paris(2026, 6, 1, 9), paris(2026, 6, 1, 9)),
    ],
)
def test_start_and_end(lines: list[str], start: EventTime, end: EventTime) -> None:
    component = component_of(*lines)
    for found, wanted in ((component.start, start), (component.end, end)):
        assert found == wanted
        assert type(found) is type(wanted)
        if isinstance(found, datetime) and isinstance(wanted, datetime):
            assert found.tzinfo == wanted.tzinfo


@pytest.mark.parametrize(
    ("parameter", "zone"),
    [
        ("TZID=Europe/Paris", PARIS),
        ('TZID="Europe/Paris"', PARIS),
        ("X-A=b;TZID=Europe/Paris;X-C=d", PARIS),
        ("TZID=Romance Standard Time", PARIS),
        ('TZID="(UTC+01:00) Brussels, Copenhagen, Madrid, Paris"', PARIS),
        ("TZID=(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", PARIS),
        ("TZID=(UTC+01:00) Brussels, Copenhagen, Madrid, Paris;X-C=d", PARIS),
        ("TZID=/citadel.org/20210210_1/Europe/Paris", PARIS),
        ("TZID=tzone://Microsoft/Utc", UTC),
    ],
)
def test_a_zone_is_found_however_it_is_written(parameter: str, zone: tzinfo) -> None:
    start = component_of(f"DTSTART;{parameter}:20260601T090000").start
    assert isinstance(start, datetime)
    assert start.tzinfo == zone
    assert start.replace(tzinfo=None) == datetime(2026, 6, 1, 9)


CUSTOM_ZONE = (
    *("BEGIN:VTIMEZONE", "TZID:Heure de Lille\\, été"),
    *("BEGIN:STANDARD", "DTSTART:16011028T030000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"),
    *("TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD"),
    *("BEGIN:DAYLIGHT", "DTSTART:16010325T020000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"),
    *("TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "END:DAYLIGHT", "END:VTIMEZONE"),
)


def test_a_zone_of_the_files_own_is_the_iana_zone_that_it_equals() -> None:
    assert component_of('DTSTART;TZID="Heure de Lille, été":20260601T090000', outside=CUSTOM_ZONE).start == paris(
        2026, 6, 1, 9
    )


def test_a_series_with_every_kind_of_exception() -> None:
    text = file(
        "DTSTART;TZID=Europe/Paris:20260601T090000",
        "DTEND;TZID=Europe/Paris:20260601T100000",
        "RRULE:FREQ=WEEKLY;BYDAY=MO",
        "RDATE;TZID=Europe/Paris:20260603T090000,20260604T090000",
        "RDATE;VALUE=PERIOD:20260605T070000Z/PT2H,20260606T070000Z/20260606T100000Z",
        "EXDATE;TZID=Europe/Paris:20260608T090000",
        "EXDATE:20260615T070000Z,20260622T070000Z",
    ).replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Paris:20260629T090000\r\n"
        b"DTSTART;TZID=Europe/Paris:20260629T140000\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\nEND:VCALENDAR",
    )
    event = parse_event(text, system="test")
    assert event is not None
    master, override = event.components
    assert master.recurrence.rules == ("FREQ=WEEKLY;BYDAY=MO",)
    fifth, sixth = datetime(2026, 6, 5, 7, tzinfo=UTC), datetime(2026, 6, 6, 7, tzinfo=UTC)
    assert master.recurrence.dates == (paris(2026, 6, 3, 9), paris(2026, 6, 4, 9), fifth, sixth)
    assert master.recurrence.period_ends == ((fifth, fifth + 2 * HOUR), (sixth, sixth + 3 * HOUR))
    assert master.recurrence.excluded == (
        paris(2026, 6, 8, 9),
        datetime(2026, 6, 15, 7, tzinfo=UTC),
        datetime(2026, 6, 22, 7, tzinfo=UTC),
    )
    assert (master.recurrence_id, master.this_and_future) == (None, False)
    assert (override.recurrence_id, override.this_and_future) == (paris(2026, 6, 29, 9), True)
    assert override.status is EventStatus.CANCELLED


def test_an_empty_rrule_says_that_nothing_recurs() -> None:
    assert component_of("DTSTART;VALUE=DATE:20260601", "RRULE:").recurrence.rules == ()


def test_an_exception_without_a_zone_is_in_the_zone_of_the_start() -> None:
    component = component_of("DTSTART;TZID=Europe/Paris:20260601T090000", "RRULE:FREQ=DAILY", "EXDATE:20260602T090000")
    assert component.recurrence.excluded == (paris(2026, 6, 2, 9),)


def test_the_master_comes_first_wherever_it_stands_and_an_override_may_stand_alone() -> None:
    override = "BEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID:20260608T070000Z\r\nDTSTART:20260608T080000Z\r\nEND:VEVENT\r\n"
    master = "BEGIN:VEVENT\r\nUID:u1\r\nDTSTART:20260601T070000Z\r\nRRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\n"
    both = parse_event(f"BEGIN:VCALENDAR\r\n{override}{master}END:VCALENDAR".encode(), system="test")
    alone = parse_event(f"BEGIN:VCALENDAR\r\n{override}END:VCALENDAR".encode(), system="test")
    assert both is not None
    assert [component.recurrence_id is None for component in both.components] == [True, False]
    assert alone is not None
    assert [component.recurrence_id is None for component in alone.components] == [False]


START = "DTSTART:20260601T070000Z"


@pytest.mark.parametrize(
    ("lines", "transparency", "status"),
    [
        ([], Transparency.OPAQUE, EventStatus.CONFIRMED),
        (["TRANSP:TRANSPARENT"], Transparency.TRANSPARENT, EventStatus.CONFIRMED),
        (["TRANSP:transparent"], Transparency.TRANSPARENT, EventStatus.CONFIRMED),
        (["TRANSP:SOMETHING"], Transparency.OPAQUE, EventStatus.CONFIRMED),
        (["STATUS:TENTATIVE"], Transparency.OPAQUE, EventStatus.TENTATIVE),
        (["STATUS:CANCELLED"], Transparency.OPAQUE, EventStatus.CANCELLED),
        (["STATUS:SOMETHING"], Transparency.OPAQUE, EventStatus.CONFIRMED),
        (["X-MICROSOFT-CDO-BUSYSTATUS:FREE"], Transparency.TRANSPARENT, EventStatus.CONFIRMED),
        (["X-MICROSOFT-CDO-BUSYSTATUS:FREE", "TRANSP:OPAQUE"], Transparency.TRANSPARENT, EventStatus.CONFIRMED),
        (["X-MICROSOFT-CDO-BUSYSTATUS:OOF"], Transparency.OPAQUE, EventStatus.CONFIRMED),
        (["X-MICROSOFT-CDO-BUSYSTATUS:BUSY"], Transparency.OPAQUE, EventStatus.CONFIRMED),
        (["X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE"], Transparency.OPAQUE, EventStatus.TENTATIVE),
        (["X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "STATUS:CANCELLED"], Transparency.OPAQUE, EventStatus.CANCELLED),
    ],
)
def test_free_busy_and_status(lines: list[str], transparency: Transparency, status: EventStatus) -> None:
    component = component_of(START, *lines)
    assert (component.transparency, component.status) == (transparency, status)


@pytest.mark.parametrize(
    ("line", "classification"),
    [
        ("X-A:b", Classification.PUBLIC),
        ("CLASS:PRIVATE", Classification.PRIVATE),
        ("CLASS:CONFIDENTIAL", Classification.CONFIDENTIAL),
        ("CLASS:X-SECRET", Classification.PRIVATE),
    ],
)
def test_an_unknown_class_is_private(line: str, classification: Classification) -> None:
    assert component_of(START, line).classification is classification


@pytest.mark.parametrize(
    ("line", "declined"),
    [
        ("ATTENDEE;PARTSTAT=DECLINED:mailto:Anne@Example.org", True),
        ("ATTENDEE;PARTSTAT=DECLINED;EMAIL=anne@example.org:urn:uuid:1", True),
        ("ATTENDEE;PARTSTAT=ACCEPTED:mailto:anne@example.org", False),
        ("ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org", False),
        ("ORGANIZER;PARTSTAT=DECLINED:mailto:anne@example.org", False),
    ],
)
def test_only_the_owners_own_answer_declines(line: str, declined: bool) -> None:
    event = parse_event(file(START, line), system="test", owner_addresses={"anne@example.org"})
    assert event is not None
    assert event.components[0].declined is declined
    assert component_of(START, line).declined is False


def test_texts_marker_and_product() -> None:
    event = event_of(
        START,
        "SUMMARY;LANGUAGE=fr:Réunion\\, équipe\\; C:\\\\Notes",
        "LOCATION:Lille",
        "DESCRIPTION:une\\nligne\r\n  pliée",
        "URL:https://example.org/?a=1,2;b",
        "X-RDV-GATEWAY:abc",
        "BEGIN:VALARM\r\nDESCRIPTION:rappel\r\nDURATION:PT1H\r\nEND:VALARM",
    )
    (component,) = event.components
    assert component.summary == "Réunion, équipe; C:\\Notes"
    assert component.description == "une\nligne pliée"
    assert component.url == "https://example.org/?a=1,2;b"
    assert (event.uid, event.marker, event.product_id) == ("u1", "abc", "-//x//y//FR")
    assert component.end == component.start


@pytest.mark.parametrize(
    "body",
    [
        file(START, "SUMMARY:Réunion").decode().encode("cp1252"),
        b"\xef\xbb\xbf" + file(START, "SUMMARY:Réunion"),
        file(START, "SUMMARY:Réunion").replace(b"\r\n", b"\n"),
        file(START, "SUMMARY:Réunion", "DESCRIPTION:folded", "wrongly by hand", "hello: you"),
    ],
    ids=["old encoding", "byte order mark", "bare line feeds", "wrong folds"],
)
def test_sloppy_files_are_read(body: bytes) -> None:
    event = parse_event(body, system="test")
    assert event is not None
    assert event.components[0].summary == "Réunion"
    assert event.components[0].start == datetime(2026, 6, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE"])
def test_what_is_no_event_is_none(kind: str) -> None:
    body = f"BEGIN:VCALENDAR\r\nBEGIN:{kind}\r\nUID:1\r\nDTSTART:nonsense\r\nEND:{kind}\r\nEND:VCALENDAR"
    assert parse_event(body.encode(), system="test") is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is no iCalendar file"),
        (b"hello", "it is no iCalendar file"),
        (b"<html>Dentiste</html>", "it is no iCalendar file"),
        (file("SUMMARY:Dentiste"), "an event has no DTSTART"),
        (file("DTSTART:Dentiste"), "DTSTART is neither a date nor a time"),
        (file("DTSTART:20260230"), "DTSTART is not a date of the calendar"),
        (file("DTSTART:20260601T250000Z"), "DTSTART is not a date of the calendar"),
        (file(START, START), "an event has more than one DTSTART"),
        (file(START, "DTEND;VALUE=DATE:20260602"), "DTSTART and DTEND are not both dates or both times"),
        (file(START, "DTEND:20260601T060000Z"), "an event ends before it starts"),
        (file(START, "DTEND:20260601T080000"), "DTEND has no time zone although DTSTART has one"),
        (file("DTSTART:20260601T090000", "DTEND:20260601T080000Z"), "only one of DTSTART and DTEND has a time zone"),
        (file(START, "DURATION:-PT1H"), "a DURATION is not valid"),
        (file(START, "DURATION:Dentiste"), "a DURATION is not valid"),
        (file(START, "DURATION:P99999999D"), "a time is out of the calendar"),
        (file("DTSTART:20260601", "DURATION:PT5H"), "a DURATION in hours follows a date"),
        (file("DTSTART;VALUE=DATE:99991231"), "a time is out of the calendar"),
        (file("DTSTART;TZID=Europe/Paris:00010101T000000", "DURATION:PT1S"), "a time is out of the calendar"),
        (file(START, "RRULE"), "RRULE has no value"),
        (file(START, "EXDATE:Dentiste"), "EXDATE is neither a date nor a time"),
        (file(START, "RDATE:20260601T070000Z/Px"), "a DURATION is not valid"),
        (file("DTSTART;TZID=Zurich:20260601T090000"), 'time zone "Zurich" cannot be resolved'),
        (file("DTSTART;TZID=:20260601T090000"), 'time zone "" cannot be resolved'),
        (file(START).replace(b"UID:u1\r\n", b""), "it has no UID"),
        (file(START, "END:VEVENT", "BEGIN:VEVENT", "UID:u2", START), "it holds more than one UID"),
        (file(START, "END:VEVENT", "BEGIN:VEVENT", "UID:u1", START), "it holds more than one event under the same UID"),
        (file(START)[:-15], "it ends in the middle"),
        (file(START, "END:VALARM"), "its BEGIN and END lines do not match"),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_a_reason_and_without_content(body: bytes, reason: str) -> None:
    with pytest.raises(BadItem) as refused:
        parse_event(body, system="an account")
    assert str(refused.value) == f"An item cannot be read: {reason}."
    assert refused.value.system == "an account"
    assert "Dentiste" not in repr(refused.value.__cause__)


def test_a_wide_zone_name_is_shortened_in_the_reason() -> None:
    with pytest.raises(BadItem) as refused:
        parse_event(file(f"DTSTART;TZID={'x' * 500}:20260601T090000"), system="test")
    assert len(str(refused.value)) < 150


LINES = st.sampled_from(
    [
        *("BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:STANDARD", "END:STANDARD"),
        *("DTSTART", "DTEND", "DTSTART;TZID=", 'DTSTART;TZID="', "DURATION:P", "RRULE:FREQ=", "RDATE;VALUE=PERIOD:"),
        *("20260601T090000", "Z", "20261301", "/", ",", ":", ";", "=", '"', "\\", "\r\n", "\n ", "TZID:x", "UID:1"),
        *("TZOFFSETFROM:+0100", "TZOFFSETTO:-9999", "RECURRENCE-ID:", "ATTENDEE;PARTSTAT=DECLINED:", "\x00", "é", "^"),
    ]
)


@given(st.lists(LINES | st.text(max_size=5), max_size=30))
def test_no_file_raises_anything_but_a_bad_item(pieces: list[str]) -> None:
    """One bad item never stops the rest."""
    for body in (
        "".join(pieces),
        f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{''.join(pieces)}\r\nEND:VEVENT\r\nEND:VCALENDAR",
    ):
        with contextlib.suppress(BadItem):
            parse_event(body.encode("utf-8", errors="surrogatepass"), system="test", owner_addresses={"a"})
