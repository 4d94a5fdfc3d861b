"""An RDV in an agent's calendar: neutral unless asked otherwise, and cancelled by status alone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.records import Classification, EventDraft, EventStatus, Participation, Rdv, RdvStatus, Transparency
from mappings.rdv_event import CopyRules, LabelLevel, rdv_draft, rdv_zone
from tests.mappings.ical_rows import PARIS, ZONES
from tests.mappings.samples import IDENTITY, URL, rdv

MOTIF = CopyRules(label=LabelLevel.MOTIF, motifs=None, show_place=True)
SECRETS = ("RSA", "Orientation", "Atelier", "MDS", "Gare", "violences", "MARTIN", "Zoé")


def draft(record: Rdv, labels: CopyRules | None = None, zone: ZoneInfo = PARIS) -> EventDraft:
    return rdv_draft(record, 12, zone, labels or CopyRules(), IDENTITY)


def texts_of(event: EventDraft) -> str:
    return f"{event.summary}\n{event.location}\n{event.description}\n{event.url}"


@given(
    collectif=st.booleans(),
    status=st.sampled_from([*RdvStatus, "waiting"]),
    location_type=st.sampled_from(["public_office", "phone", "home", "visio", "moon"]),
    level=st.sampled_from([LabelLevel.NEUTRAL, "", "everything"]),
    show_place=st.booleans(),
)
def test_neutral_says_nothing_of_why_nor_of_whom(
    collectif: bool, status: str, location_type: str, level: str, show_place: bool
) -> None:
    """Whatever is in the record, and for a level that we do not know too."""
    labels = CopyRules(label=level, motifs=None, show_place=show_place)  # type: ignore[arg-type]
    record = rdv(collectif=collectif, status=status, location_type=location_type, users_count=3)
    made = draft(record, labels)
    assert not [secret for secret in SECRETS if secret in texts_of(made)]
    assert made.summary.removeprefix("[Annulé] ") == "RDV"
    assert made.classification is Classification.PRIVATE


def test_neutral_event() -> None:
    made = draft(rdv())
    assert made == EventDraft(
        uid=IDENTITY.copy_uid(7, 12),
        marker=IDENTITY.copy_marker(7, 12),
        start=datetime(2026, 3, 2, 8, tzinfo=UTC),
        end=datetime(2026, 3, 2, 8, 30, tzinfo=UTC),
        summary="RDV",
        location="Sur place",
        description=f"Voir le RDV : {URL}\n"
        "Cet évènement suit RDV-Solidarités : date, durée et lieu se modifient là-bas.",
        url=URL,
    )
    assert not [text for text in ("RDV", "Sur place", URL) if text in repr(made).removeprefix("EventDraft")]


@pytest.mark.parametrize(
    ("location_type", "shown"),
    [
        ("public_office", "Sur place"),
        ("phone", "Par téléphone"),
        ("home", "À domicile"),
        ("visio", "En visio"),
        ("moon", ""),
    ],
)
def test_place_in_general_terms(location_type: str, shown: str) -> None:
    assert draft(rdv(location_type=location_type)).location == shown


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "RSA - Orientation · Zoé MARTIN"),
        ({"participations": ()}, "RSA - Orientation"),
        ({"participations": (Participation(1, "unknown", 40, None),)}, "RSA - Orientation"),
        (
            {"participations": (Participation(2, "unknown", 41, "B B"), Participation(1, "seen", 40, "A A"))},
            "RSA - Orientation · A A, B B",
        ),
        ({"participations": (Participation(1, "excused", 40, "A A"),)}, "RSA - Orientation"),
        ({"motif_name": " RSA\n  bilan ", "participations": ()}, "RSA bilan"),
        ({"motif_name": "", "participations": ()}, "RDV"),
        ({"collectif": True}, "RSA - Orientation · Atelier budget"),
        ({"collectif": True, "users_count": 3}, "RSA - Orientation · Atelier budget (3)"),
        (
            {"collectif": True, "users_count": 0, "max_participants_count": 10},
            "RSA - Orientation · Atelier budget (0/10)",
        ),
        ({"collectif": True, "title": "", "users_count": 3}, "RSA - Orientation (3)"),
        ({"status": "revoked", "participations": ()}, "[Annulé] RSA - Orientation"),
    ],
)
def test_title_at_level_motif(changes: dict[str, object], title: str) -> None:
    assert draft(rdv(**changes), MOTIF).summary == title


@pytest.mark.parametrize(
    ("changes", "show_place", "place"),
    [
        ({}, True, "MDS Nord, 1 rue de la Gare, Arras"),
        ({"lieu_address": ""}, True, "MDS Nord"),
        ({"location_type": "home", "lieu_name": "", "lieu_address": ""}, True, "À domicile"),
        ({}, False, "Sur place"),
    ],
)
def test_place_at_level_motif(changes: dict[str, object], show_place: bool, place: str) -> None:
    assert (
        draft(rdv(**changes), CopyRules(label=LabelLevel.MOTIF, motifs=None, show_place=show_place)).location == place
    )


def test_names_of_a_collective_rdv_are_in_the_description() -> None:
    made = draft(rdv(collectif=True, context=""), MOTIF)
    assert made.description.startswith("Usagers : Zoé MARTIN\nVoir le RDV : ")
    assert "MARTIN" not in made.summary


def test_chosen_context_is_in_the_description() -> None:
    assert draft(rdv(), MOTIF).description.startswith("violences\n")


def test_link_can_be_left_out() -> None:
    made = draft(rdv(), CopyRules(show_link=False))
    assert "http" not in texts_of(made)


@pytest.mark.parametrize(
    ("status", "cancelled"),
    [("unknown", False), ("seen", False), ("noshow", False), ("excused", True), ("revoked", True), ("waiting", False)],
)
def test_cancelled_by_status_alone(status: str, cancelled: bool) -> None:
    made = draft(rdv(status=status))
    assert made.summary == ("[Annulé] RDV" if cancelled else "RDV")
    assert made.status is (EventStatus.CANCELLED if cancelled else EventStatus.CONFIRMED)
    assert made.transparency is (Transparency.TRANSPARENT if cancelled else Transparency.OPAQUE)


@pytest.mark.parametrize(
    ("time_zone", "expected"),
    [
        (None, "Indian/Reunion"),
        ("", "Indian/Reunion"),
        ("Europe/Paris", "Europe/Paris"),
        ("Nowhere", "Indian/Reunion"),
        ("Europe", "Indian/Reunion"),  # a folder of the zone database
        ("../etc", "Indian/Reunion"),
    ],
)
def test_zone_of_an_rdv(time_zone: str | None, expected: str) -> None:
    assert rdv_zone(rdv(time_zone=time_zone), ZONES["Reunion"]).key == expected


def test_wall_clock_is_read_in_the_zone() -> None:
    assert draft(rdv(), zone=ZONES["Reunion"]).start == datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert draft(rdv(starts_at=datetime(2026, 7, 1, 9), ends_at=datetime(2026, 7, 1, 10))).start == datetime(
        2026, 7, 1, 7, tzinfo=UTC
    )


def test_rdv_without_length_is_set_aside() -> None:
    with pytest.raises(BadItem, match="does not end") as caught:
        draft(rdv(ends_at=datetime(2026, 3, 2, 9)))
    assert caught.value.system == "rdv_solidarites"


def test_every_text_can_be_translated() -> None:
    labels = CopyRules(translate=lambda message: message.upper(), neutral_title="")
    made = draft(rdv(status="revoked", url=""), labels)
    assert (made.summary, made.location) == ("[ANNULÉ] RDV", "SUR PLACE")
    assert made.description == made.description.upper()
