"""Fields of ours survive what servers do to them, and every change by a person shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import (
    CalendarEvent,
    Classification,
    EventComponent,
    EventDraft,
    EventStatus,
    Recurrence,
    Transparency,
)
from mappings.owned import notes_digest, owned_digest, owned_of_draft, owned_of_event, times_digest
from tests.mappings.ical_rows import PARIS
from tests.mappings.samples import stored

KEY = b"k" * 32
DRAFT = EventDraft(
    uid="rdvgw-1",
    marker="m",
    start=datetime(2026, 3, 2, 9, tzinfo=PARIS),
    end=datetime(2026, 3, 2, 10, tzinfo=PARIS),
    summary="RDV, à 9 h ; salle\\B",
    location="MDS Nord",
    description="Voir\nlà-bas",
    url="https://rdv.example/7",
    recurrence=Recurrence(
        ("FREQ=WEEKLY;COUNT=3;BYDAY=MO,TU",), (), (), (datetime(2026, 3, 9, 9, tzinfo=PARIS), date(2026, 3, 3))
    ),
)


def changed(**changes: object) -> CalendarEvent:
    event = stored(DRAFT)
    return replace(event, components=(replace(event.components[0], **changes),))  # type: ignore[arg-type]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(stored(DRAFT), id="kept as it was"),
        pytest.param(changed(start=datetime(2026, 3, 2, 8, tzinfo=UTC)), id="start in UTC"),
        pytest.param(changed(end=datetime(2026, 3, 2, 10, tzinfo=BERLIN)), id="an equal zone under another name"),
        pytest.param(changed(summary=" RDV, à 9 h ; salle\\B \r\n"), id="title padded"),
        pytest.param(changed(summary="RDV, a\u0300 9 h ; salle\\B"), id="title in another Unicode form"),
        pytest.param(changed(location="MDS  Nord"), id="place with a space doubled in folding"),
        pytest.param(changed(description="Voir \r\nlà-bas\r\n\r\n"), id="other line ends, trailing lines"),
        pytest.param(changed(url="https://rdv.example/7 "), id="link padded"),
        pytest.param(
            changed(
                recurrence=Recurrence(
                    ("BYDAY=TU,MO;FREQ=WEEKLY;COUNT=3;INTERVAL=1;WKST=MO",),
                    (),
                    (),
                    (date(2026, 3, 3), datetime(2026, 3, 9, 8, tzinfo=UTC)),
                )
            ),
            id="rule reordered, exceptions in UTC and in another order",
        ),
        pytest.param(
            replace(
                stored(DRAFT),
                components=(
                    *stored(DRAFT).components,
                    EventComponent(DRAFT.start, DRAFT.end, recurrence_id=DRAFT.start, summary="other"),
                ),
            ),
            id="an occurrence that a person changed is not the series",
        ),
        pytest.param(replace(stored(DRAFT), marker=None, product_id="-//x"), id="marker dropped, PRODID replaced"),
    ],
)
def test_what_servers_rewrite_is_no_change(event: CalendarEvent) -> None:
    assert owned_of_event(event) == owned_of_draft(DRAFT)


def test_a_day_written_with_its_own_end_is_that_day() -> None:
    day = replace(DRAFT, start=date(2026, 3, 2), end=date(2026, 3, 3), recurrence=Recurrence())
    event = stored(replace(day, end=date(2026, 3, 2)))
    assert owned_of_event(event) == owned_of_draft(day)


def digests(event: CalendarEvent) -> tuple[str, str, str]:
    owned = owned_of_event(event)
    return owned_digest(KEY, owned), times_digest(KEY, owned), notes_digest(KEY, owned)


BASE = digests(stored(DRAFT))


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"start": datetime(2026, 3, 2, 9, 5, tzinfo=PARIS)}, (True, True, False)),
        ({"end": datetime(2026, 3, 2, 11, tzinfo=PARIS)}, (True, True, False)),
        ({"start": datetime(2026, 3, 2, 8)}, (True, True, False)),  # floating is not UTC
        ({"recurrence": Recurrence()}, (True, True, False)),
        ({"recurrence": replace(DRAFT.recurrence, dates=(datetime(2026, 4, 1, tzinfo=UTC),))}, (True, True, False)),
        ({"recurrence": replace(DRAFT.recurrence, excluded=())}, (True, True, False)),
        ({"summary": "Dentiste"}, (True, False, False)),
        ({"location": "MDS Sud"}, (True, False, False)),
        ({"url": ""}, (True, False, False)),
        ({"status": EventStatus.CANCELLED}, (True, False, False)),
        ({"transparency": Transparency.TRANSPARENT}, (True, False, False)),
        ({"classification": Classification.PUBLIC}, (True, False, False)),
        ({"description": "ma note"}, (False, False, True)),
        ({"declined": True}, (False, False, False)),
    ],
)
def test_what_a_person_changes_shows_in_the_digest_of_its_kind(
    changes: dict[str, object], differs: tuple[bool, bool, bool]
) -> None:
    found = digests(changed(**changes))
    assert tuple(one != other for one, other in zip(found, BASE, strict=True)) == differs


@pytest.mark.parametrize("digest", [owned_digest, notes_digest, times_digest])
def test_digests_need_the_key(digest: Callable[[bytes, object], str]) -> None:
    owned = owned_of_draft(DRAFT)
    assert digest(KEY, owned) != digest(b"x" * 32, owned)
    assert len(digest(KEY, owned)) == 64


def test_fields_cannot_run_into_each_other() -> None:
    one, other = (replace(DRAFT, summary=s, location=p) for s, p in (("ab", "c"), ("a", "bc")))
    assert owned_digest(KEY, owned_of_draft(one)) != owned_digest(KEY, owned_of_draft(other))


def test_texts_are_not_shown() -> None:
    shown = repr(owned_of_draft(DRAFT))
    assert not [text for text in ("salle", "MDS", "Voir", "https") if text in shown]


@given(
    text=st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=40),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    minutes=st.integers(1, 5_000),
)
def test_draft_and_what_is_stored_agree_for_any_text(text: str, start: datetime, minutes: int) -> None:
    begin = start.replace(tzinfo=UTC)
    draft = replace(
        DRAFT,
        start=begin,
        end=begin + timedelta(minutes=minutes),
        summary=text,
        location=text,
        description=text,
        url=text,
    )
    event = stored(draft)
    trimmed = replace(
        event.components[0],
        start=begin.replace(microsecond=0),  # iCalendar has no fractions
        summary=text.strip(),
        description=text.replace("\n", "\r\n") + "\n",
    )
    assert owned_of_event(replace(event, components=(trimmed,))) == owned_of_draft(draft)
