"""Writing events of ours: what the file says, and what an update leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem, OurBug
from connectors.icalendar_draft import PRODUCT_ID, is_organised, patch_draft, render_draft
from connectors.icalendar_text import parse_event
from connectors.records import (
    Classification,
    EventComponent,
    EventDraft,
    EventStatus,
    Recurrence,
    Reminder,
    Transparency,
)
from connectors.vtimezones import VTIMEZONES

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
DRAFT = EventDraft(
    uid="rdvgw-1",
    marker="m1",
    start=datetime(2026, 6, 1, 9, tzinfo=PARIS),
    end=datetime(2026, 6, 1, 10, tzinfo=PARIS),
    summary="Rendez-vous",
)


def read(body: bytes) -> EventComponent:
    event = parse_event(body, system="test")
    assert event is not None
    (component,) = event.components
    return component


def test_a_whole_file() -> None:
    made = replace(DRAFT, location="Lille, MDS", description="a\nb", url="https://example.org/1", summary="x" * 80)
    assert render_draft(made, now=NOW).decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT_ID}",
        "CALSCALE:GREGORIAN",
        "BEGIN:VEVENT",
        "UID:rdvgw-1",
        "DTSTAMP:20260504T083000Z",
        "LAST-MODIFIED:20260504T083000Z",
        "SEQUENCE:0",
        "DTSTART:20260601T070000Z",
        "DTEND:20260601T080000Z",
        f"SUMMARY:{'x' * 66}",
        f" {'x' * 14}",
        "LOCATION:Lille\\, MDS",
        "DESCRIPTION:a\\nb",
        "URL:https://example.org/1",
        "CLASS:PRIVATE",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        "X-RDV-GATEWAY:m1",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


PERSONAL = replace(DRAFT, category="RDV; usager, équipe", color="teal", reminder=Reminder(15, "RDV, bientôt"))


def test_a_new_file_carries_what_is_the_agents_from_then_on() -> None:
    body = render_draft(PERSONAL, now=NOW)
    assert body.decode().split("\r\n")[-10:] == [
        "CATEGORIES:RDV\\; usager\\, équipe",
        "COLOR:teal",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:RDV\\, bientôt",
        "TRIGGER:-PT15M",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    (event,) = icalendar.Calendar.from_ical(body).walk("VEVENT")
    assert [str(each) for each in event["CATEGORIES"].cats] == ["RDV; usager, équipe"]
    (alarm,) = event.walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(minutes=-15)
    assert alarm["TRIGGER"].params.get("RELATED", "START") == "START"


@pytest.mark.parametrize("minutes", [0, 7 * 24 * 60])
def test_a_reminder_may_ring_at_the_start_and_a_week_ahead(minutes: int) -> None:
    body = render_draft(replace(DRAFT, reminder=Reminder(minutes, "RDV")), now=NOW)
    (alarm,) = icalendar.Calendar.from_ical(body).walk("VALARM")
    assert alarm["TRIGGER"].dt == -timedelta(minutes=minutes)


def test_an_update_leaves_reminder_category_and_colour_to_the_agent() -> None:
    """Those that the file has stay as they are, others do not come back."""
    kept = patch_draft(
        render_draft(PERSONAL, now=NOW), replace(DRAFT, summary="Autre"), now=NOW, notes=True, system="x"
    )
    for line in ("CATEGORIES:RDV\\; usager\\, équipe", "COLOR:teal", "TRIGGER:-PT15M", "SUMMARY:Autre"):
        assert f"\r\n{line}\r\n" in kept.decode()
    bare = patch_draft(render_draft(DRAFT, now=NOW), PERSONAL, now=NOW, notes=True, system="x").decode()
    assert [word for word in ("CATEGORIES", "COLOR", "VALARM") if word in bare] == []


def test_a_colour_that_is_no_name_is_our_bug() -> None:
    with pytest.raises(OurBug, match="colour"):
        render_draft(replace(DRAFT, color="teal\r\nATTENDEE:x"), now=NOW)


def test_a_series_carries_its_zone_as_rules_and_its_exceptions_in_it() -> None:
    recurrence = Recurrence(
        rules=("FREQ=WEEKLY",),
        dates=(datetime(2026, 6, 3, 7, tzinfo=UTC),),
        excluded=(datetime(2026, 6, 8, 9, tzinfo=PARIS), datetime(2026, 11, 2, 8, tzinfo=UTC)),
    )
    text = render_draft(replace(DRAFT, recurrence=recurrence), now=NOW).decode()
    for line in (
        "DTSTART;TZID=Europe/Paris:20260601T090000",
        "DTEND;TZID=Europe/Paris:20260601T100000",
        "RRULE:FREQ=WEEKLY",
        "RDATE;TZID=Europe/Paris:20260603T090000",
        "EXDATE;TZID=Europe/Paris:20260608T090000,20261102T090000",
        *VTIMEZONES["Europe/Paris"],
    ):
        assert f"\r\n{line}\r\n" in text
    assert text.count("BEGIN:VTIMEZONE") == 1


@pytest.mark.parametrize("forbidden", ["METHOD", "ORGANIZER", "ATTENDEE", "VALARM"])
def test_nothing_that_sends_mail_or_rings_is_ever_written(forbidden: str) -> None:
    """Whatever the texts try."""
    made = replace(
        DRAFT,
        summary=f"a\r\n{forbidden}:b",
        location=f"a\n{forbidden}:b",
        description=f"a\u2028{forbidden}:b",
        url=f"https://e.org/\r\n{forbidden}:b",
        marker=f"a\r\n{forbidden}:b",
        category=f"a\r\n{forbidden}:b",
    )
    body = render_draft(made, now=NOW)
    names = {line.replace(" ", "").split(":")[0].split(";")[0] for line in body.decode().split("\r\n")}
    assert forbidden not in names
    assert f"BEGIN:{forbidden}" not in body.decode().split("\r\n")
    assert not is_organised(body)


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_any_text_survives_but_for_what_is_no_text(summary: str, location: str, description: str) -> None:
    """Read by ourselves and by the icalendar library alike; every line is short and in order."""
    made = replace(DRAFT, summary=summary, location=location, description=description)
    body = render_draft(made, now=NOW)
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    component = read(body)
    for found, given_text in ((component.summary, summary), (component.location, location)):
        assert printed(found) == printed(given_text)
    assert printed(component.description) == printed(description)
    (event,) = icalendar.Calendar.from_ical(body).walk("VEVENT")
    assert str(event.get("description", "")) == component.description


def printed(text: str) -> list[str]:
    """What a reader would see: its words, without what no file can hold."""
    unseen = {*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF}
    breaks = {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029}
    spaced = "".join(" " if ord(letter) in breaks else "" if ord(letter) in unseen else letter for letter in text)
    return spaced.split()


@given(
    st.sampled_from(sorted(VTIMEZONES)),
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1)),
    st.integers(min_value=1, max_value=60 * 24 * 3),
)
def test_a_single_event_reads_at_the_same_instants_in_every_zone(zone: str, start: datetime, minutes: int) -> None:
    begin = start.replace(second=0, microsecond=0, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    end = begin + timedelta(minutes=minutes)
    made = replace(DRAFT, start=begin.astimezone(ZoneInfo(zone)), end=end.astimezone(ZoneInfo(zone)))
    component = read(render_draft(made, now=NOW))
    assert (component.start, component.end) == (begin, end)


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Miquelon"])
def test_other_readers_get_the_right_hours_from_our_zone_definition(zone: str) -> None:
    """The definition alone, read by the library as a zone nobody knows, over the changes of two years."""
    lines = "\r\n".join(VTIMEZONES[zone]).replace(f"TZID:{zone}", "TZID:Nameless")
    (definition,) = icalendar.Calendar.from_ical(f"BEGIN:VCALENDAR\r\n{lines}\r\nEND:VCALENDAR").walk("VTIMEZONE")
    read_zone = definition.to_tz(lookup_tzid=False)
    for day in rrulestr("FREQ=DAILY;COUNT=730", dtstart=datetime(2026, 1, 1, 9)):
        assert day.replace(tzinfo=read_zone).utcoffset() == day.replace(tzinfo=ZoneInfo(zone)).utcoffset(), day


@pytest.mark.parametrize(
    "made",
    [
        replace(DRAFT, end=date(2026, 6, 2)),
        replace(DRAFT, end=datetime(2026, 6, 1, 10)),
        replace(DRAFT, end=DRAFT.start - timedelta(hours=1)),  # type: ignore[operation]
        replace(DRAFT, start=date(2026, 6, 1), end=date(2026, 6, 1)),
        replace(DRAFT, recurrence=Recurrence(rules=("FREQ=DAILY\r\nATTENDEE:mailto:x",))),
        replace(
            DRAFT, start=DRAFT.start.astimezone(ZoneInfo("Asia/Tokyo")), recurrence=Recurrence(rules=("FREQ=DAILY",))
        ),  # type: ignore[union-attr]
    ],
    ids=["kinds", "zones", "backwards", "no day", "rule", "zone"],
)
def test_a_draft_that_makes_no_sense_is_our_bug(made: EventDraft) -> None:
    with pytest.raises(OurBug):
        render_draft(made, now=NOW)


EDITED = (
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//x//y//FR",
    "METHOD:PUBLISH",
    "BEGIN:VEVENT",
    "UID:rdvgw-1",
    "DTSTART:20260601T070000Z",
    "DTEND:20260601T080000Z",
    "SUMMARY:Rendez-vous",
    "SEQUENCE:7",
    "CATEGORIES:a,,b",
    "DESCRIPTION;X-P=1:des notes qui sont bien assez longues pour que le client les ",
    "  plie à sa façon",
    "X-ALT-DESC;FMTTYPE=text/html:<b>notes</b>",
    "X-OTHER;A=b:c",
    "LOCATION:Lille",
    "GEO:50.6;3.0",
    "X-MICROSOFT-CDO-BUSYSTATUS:FREE",
    "X-RDV-GATEWAY:m1",
    "BEGIN:VALARM",
    "DESCRIPTION:rappel",
    "DURATION:PT5M",
    "SUMMARY:pas la nôtre",
    "END:VALARM",
    "END:VEVENT",
    "END:VCALENDAR",
    "",
)


def edited(*, without: str = "\x00") -> bytes:
    return "\r\n".join(line for line in EDITED if not line.startswith(without)).encode()


def test_an_update_replaces_our_lines_and_leaves_every_other_as_it_stands() -> None:
    made = replace(DRAFT, location="Lille", status=EventStatus.CANCELLED, transparency=Transparency.OPAQUE)
    after = patch_draft(edited(), made, now=NOW, notes=False, system="test").decode().split("\r\n")
    ours = [
        "DTSTAMP:20260504T083000Z",
        "LAST-MODIFIED:20260504T083000Z",
        "SEQUENCE:8",
        "DTSTART:20260601T070000Z",
        "DTEND:20260601T080000Z",
        "SUMMARY:Rendez-vous",
        "LOCATION:Lille",
        "CLASS:PRIVATE",
        "STATUS:CANCELLED",
        "TRANSP:OPAQUE",
        "X-RDV-GATEWAY:m1",
    ]
    theirs = [
        line for line in EDITED if line.startswith(("CATEGORIES", "DESCRIPTION;", "  plie", "X-ALT", "X-OTHER", "GEO"))
    ]
    alarm = list(EDITED[EDITED.index("BEGIN:VALARM") :])
    assert after == [*EDITED[:3], "BEGIN:VEVENT", *ours, "UID:rdvgw-1", *theirs, *alarm]


def test_notes_are_ours_only_on_demand() -> None:
    text = patch_draft(edited(), replace(DRAFT, description="à nous"), now=NOW, notes=True, system="test").decode()
    assert "DESCRIPTION:à nous" in text
    assert "plie à sa façon" not in text
    assert "X-ALT-DESC" not in text
    assert "DESCRIPTION:rappel" in text


def test_a_new_place_takes_the_old_map_away() -> None:
    assert b"GEO" not in patch_draft(edited(), replace(DRAFT, location="Roubaix"), now=NOW, notes=False, system="test")


def test_outlooks_own_status_does_not_contradict_ours() -> None:
    assert read(patch_draft(edited(), DRAFT, now=NOW, notes=False, system="test")).transparency is Transparency.OPAQUE


def test_an_update_to_a_series_brings_its_zone_once() -> None:
    series = replace(DRAFT, recurrence=Recurrence(rules=("FREQ=WEEKLY",)))
    once = patch_draft(edited(), series, now=NOW, notes=False, system="test")
    twice = patch_draft(once, series, now=NOW, notes=False, system="test")
    assert once.count(b"BEGIN:VTIMEZONE") == twice.count(b"BEGIN:VTIMEZONE") == 1
    assert read(twice).start == DRAFT.start
    assert read(twice).recurrence == series.recurrence


def test_overrides_stay_with_a_series_and_go_without_one() -> None:
    override = "BEGIN:VEVENT\r\nUID:rdvgw-1\r\nRECURRENCE-ID:20260608T070000Z\r\nDTSTART:20260608T080000Z\r\nEND:VEVENT"
    both = edited().replace(b"BEGIN:VEVENT", f"{override}\r\nBEGIN:VEVENT".encode(), 1)
    series = patch_draft(
        both, replace(DRAFT, recurrence=Recurrence(rules=("FREQ=WEEKLY",))), now=NOW, notes=False, system="test"
    )
    single = patch_draft(both, DRAFT, now=NOW, notes=False, system="test")
    assert override.encode() in series
    assert b"RECURRENCE-ID" not in single
    assert single.count(b"BEGIN:VEVENT") == 1


@pytest.mark.parametrize("body", [b"", b"hello", b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nEND:VTODO\r\nEND:VCALENDAR"])
def test_a_copy_without_an_event_left_is_a_bad_item(body: bytes) -> None:
    with pytest.raises(BadItem):
        patch_draft(body, DRAFT, now=NOW, notes=False, system="test")


def test_an_update_reads_as_the_draft_whatever_was_there_before() -> None:
    made = EventDraft(
        uid="rdvgw-1",
        marker="m2",
        start=date(2026, 7, 14),
        end=date(2026, 7, 16),
        summary="Fermé",
        classification=Classification.CONFIDENTIAL,
    )
    component = read(patch_draft(edited(without="SEQUENCE"), made, now=NOW, notes=True, system="test"))
    assert (component.start, component.end, component.summary) == (made.start, made.end, "Fermé")
    assert component.classification is Classification.CONFIDENTIAL
    assert (component.location, component.description) == ("", "")


@pytest.mark.parametrize(
    ("line", "organised"),
    [
        ("ATTENDEE:mailto:a@example.org", True),
        ("ORGANIZER;CN=a:mailto:a@example.org", True),
        ("X-OTHER:ATTENDEE", False),
        ("BEGIN:VALARM\r\nATTENDEE:mailto:a@example.org\r\nEND:VALARM", False),
    ],
)
def test_an_event_with_people_is_organised(line: str, organised: bool) -> None:
    assert is_organised(edited().replace(b"CATEGORIES:a,,b", line.encode())) is organised
