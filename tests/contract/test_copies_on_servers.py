"""A new copy with all that it is given once, on real servers and on doubles: it is there, and becomes the agent's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from connectors.icalendar_draft import render_draft
from connectors.records import CalendarItem, EventDraft, EventStatus, Reminder, Transparency
from mappings.owned import owned_of_draft, owned_of_event
from tests.connectors.caldav.bench import CalDavBench
from tests.servers.sogo_like import SogoLike
from tests.servers.zimbra_like import ZimbraLike

START = datetime(2026, 6, 1, 7, tzinfo=UTC)
DRAFT = EventDraft(
    uid="rdvgw-1",
    marker="marker",
    start=START,
    end=START + timedelta(hours=1),
    summary="RDV",
    description="les nôtres",
    category="RDV, usager",
    color="teal",
    reminder=Reminder(30, "RDV"),
)
THEIRS = """\
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:à moi
TRIGGER:-PT5M
END:VALARM
END:VEVENT"""
DOUBLES = {"sogo": SogoLike, "zimbra": ZimbraLike}


@pytest.fixture(params=["radicale", "xandikos", *DOUBLES])
def bench(request: pytest.FixtureRequest) -> Iterator[CalDavBench]:
    if request.param in DOUBLES:
        with DOUBLES[request.param]({"alice": "secret-alice"}) as server, CalDavBench(server) as bench:
            yield bench
    else:
        with CalDavBench(request.getfixturevalue(request.param)) as bench:
            yield bench


def personal(item: CalendarItem) -> tuple[list[str], list[str], str, str]:
    """Triggers, categories, colour and notes of the stored event."""
    event: Any = Calendar.from_ical(item.body).walk("VEVENT")[0]
    categories = event["CATEGORIES"] if isinstance(event["CATEGORIES"], list) else [event["CATEGORIES"]]
    return (
        sorted(alarm["TRIGGER"].to_ical().decode() for alarm in event.walk("VALARM")),
        sorted(str(each) for line in categories for each in line.cats),
        str(event["COLOR"]),
        str(event["DESCRIPTION"]),
    )


def test_a_new_copy_is_stored_with_what_it_is_given_and_reads_as_asked(bench: CalDavBench) -> None:
    created = bench.account.create(bench.calendar, DRAFT)
    assert personal(created) == (["-PT30M"], ["RDV, usager"], "teal", "les nôtres")
    event = bench.account.parse(created)
    assert event is not None
    assert owned_of_event(event) == owned_of_draft(DRAFT)


def test_what_a_person_makes_of_it_survives_our_updates(bench: CalDavBench) -> None:
    """Their alarm instead of ours, a category, a colour, a note; then the RDV moves, is cancelled and comes back."""
    created = bench.account.create(bench.calendar, DRAFT)
    edited = replace(DRAFT, category="Équipe", color="tomato", description="mes notes", reminder=None)
    body = render_draft(edited, now=START).decode().replace("END:VEVENT", THEIRS.replace("\n", "\r\n"))
    bench.other_client_puts(created.href.rpartition("/")[2].removesuffix(".ics"), body)
    item = bench.account.read(bench.calendar, created.href)
    for change in (
        {"start": START + timedelta(days=1), "end": START + timedelta(days=1, hours=2)},
        {"status": EventStatus.CANCELLED, "transparency": Transparency.TRANSPARENT, "summary": "[Annulé] RDV"},
        {"location": "MDS Nord"},
    ):
        assert item is not None
        bench.account.update(bench.calendar, item, replace(DRAFT, **change), notes=False)
        item = bench.account.read(bench.calendar, created.href)
        assert item is not None
        assert personal(item) == (["-PT5M"], ["Équipe"], "tomato", "mes notes")
        event = bench.account.parse(item)
        assert event is not None
        shown = owned_of_event(event)
        assert (shown.summary, shown.status, shown.location) == (
            str(change.get("summary", "RDV")),
            str(change.get("status", "CONFIRMED")),
            str(change.get("location", "")),
        )
