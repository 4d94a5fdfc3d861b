"""Records to start from in tests of labels and mirrors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from connectors.records import (
    Absence,
    CalendarEvent,
    EventComponent,
    EventDraft,
    Participation,
    Rdv,
    UsagerField,
)
from mappings.identity import Identity

IDENTITY = Identity(key=b"k" * 32, instance="demo.rdv.example")
URL = "https://demo.rdv.example/admin/organisations/3/rdvs/7"


def usager(number: int, first_name: str, last_name: str, status: str = "unknown", **more: str) -> Participation:
    """One participation; `more`: further fields by name."""
    known = {"first_name": first_name, "last_name": last_name} | more
    return Participation(number, status, 39 + number, tuple((UsagerField(name), text) for name, text in known.items()))


def rdv(**changes: object) -> Rdv:
    """An individual RDV of which every field is known, personal ones too."""
    whole = Rdv(
        id=7,
        uuid="5a0b1f0e-0000-4000-8000-000000000007",
        status="unknown",
        starts_at=datetime(2026, 3, 2, 9),
        ends_at=datetime(2026, 3, 2, 9, 30),
        starts_at_server=datetime(2026, 3, 2, 8, tzinfo=UTC),
        time_zone=None,
        organisation_id=3,
        agent_ids=(12,),
        motif_id=5,
        motif_name="RSA - Orientation",
        service_id=2,
        location_type="public_office",
        collectif=False,
        title="Atelier budget",
        lieu_name="MDS Nord",
        lieu_address="1 rue de la Gare, Arras",
        context="violences",
        participations=(usager(1, "Zoé", "MARTIN", phone_number="06 11 22 33 44", birth_date="1990-02-01"),),
        url=URL,
        phone_number="03 21 00 00 00",
        visio_url="https://visio.example/salle",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def absence(start: str, end: str, rrule: str | None = None, title: str = "Formation") -> Absence:
    return Absence(412, 12, title, datetime.fromisoformat(start), datetime.fromisoformat(end), rrule)


def stored(draft: EventDraft) -> CalendarEvent:
    """The draft as an ordinary server gives it back."""
    return CalendarEvent(
        uid=draft.uid,
        components=(
            EventComponent(
                start=draft.start,
                end=draft.end,
                recurrence=draft.recurrence,
                transparency=draft.transparency,
                status=draft.status,
                classification=draft.classification,
                summary=draft.summary,
                location=draft.location,
                description=draft.description,
                url=draft.url,
            ),
        ),
        marker=draft.marker,
    )
