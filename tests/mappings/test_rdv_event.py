"""An RDV in an agent's calendar: neutral unless asked otherwise, and cancelled by status alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadItem
from connectors.records import (
    Classification,
    EventDraft,
    EventStatus,
    Participation,
    Rdv,
    RdvStatus,
    Reminder,
    Transparency,
    UsagerField,
)
from mappings.rdv_event import CopyRules, LabelLevel, rdv_draft, rdv_zone
from tests.mappings.ical_rows import PARIS, ZONES
from tests.mappings.samples import IDENTITY, URL, rdv, usager

NAMES = frozenset({UsagerField.FIRST_NAME, UsagerField.LAST_NAME})
MOTIF = CopyRules(label=LabelLevel.MOTIF, motifs=None, show_place=True, usager_fields=NAMES)
EVERYTHING = replace(MOTIF, show_context=True, show_phone=True, usager_fields=frozenset(UsagerField))
SECRETS = (
    "RSA",
    "Orientation",
    "Atelier",
    "MDS",
    "Gare",
    "violences",
    "MARTIN",
    "Zoé",
    "06 11",
    "1990",
    "salle",
    "03 21",
)


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
    labels = replace(EVERYTHING, label=level, show_place=show_place)  # type: ignore[arg-type]
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
        ({"participations": (Participation(1, "unknown", 40),)}, "RSA - Orientation"),
        ({"participations": (usager(2, "B", "B"), usager(1, "A", "A", "seen"))}, "RSA - Orientation · A A, B B"),
        ({"participations": (usager(1, "", " de\n LA  "),)}, "RSA - Orientation · de LA"),
        ({"participations": (usager(1, "A", "A", "excused"), usager(2, "B", "B"))}, "RSA - Orientation · B B"),
        ({"participations": (usager(1, "A", "A", "excused"),)}, "RSA - Orientation"),
        ({"motif_name": " RSA\n  bilan ", "participations": ()}, "RSA bilan"),
        ({"motif_name": "", "participations": ()}, "RDV"),
        ({"collectif": True}, "RSA - Orientation · Atelier budget"),
        ({"collectif": True, "title": "", "users_count": 3}, "RSA - Orientation"),
        ({"status": "revoked", "participations": ()}, "[Annulé] RSA - Orientation"),
        (
            {"status": "excused", "participations": (usager(1, "A", "A", "excused"),)},
            "[Annulé] RSA - Orientation · A A",
        ),
    ],
)
def test_title_at_level_motif(changes: dict[str, object], title: str) -> None:
    assert draft(rdv(**changes), MOTIF).summary == title


@pytest.mark.parametrize(
    ("chosen", "title"),
    [
        ({UsagerField.FIRST_NAME}, "RSA - Orientation · Zoé"),
        ({UsagerField.LAST_NAME}, "RSA - Orientation · MARTIN"),
        ({UsagerField.EMAIL}, "RSA - Orientation"),
        ((), "RSA - Orientation"),
    ],
)
def test_only_the_names_that_are_chosen_for_this_rdv_are_in_its_title(chosen: set[UsagerField], title: str) -> None:
    """They passed the door for another motif, perhaps."""
    assert draft(rdv(), replace(MOTIF, usager_fields=frozenset(chosen))).summary == title


@pytest.mark.parametrize(
    ("changes", "rules", "place"),
    [
        ({}, {}, "MDS Nord, 1 rue de la Gare, Arras"),
        ({"lieu_address": ""}, {}, "MDS Nord"),
        ({}, {"show_place": False}, "Sur place"),
        ({"location_type": "home", "lieu_name": "", "lieu_address": ""}, {}, "À domicile"),
        ({"location_type": "home", "lieu_name": ""}, {}, "À domicile"),
        (
            {"location_type": "home", "lieu_name": ""},
            {"usager_fields": frozenset({UsagerField.ADDRESS}), "show_place": False},
            "1 rue de la Gare, Arras",
        ),
        ({"location_type": "visio", "lieu_name": "", "lieu_address": ""}, {}, "En visio"),
        ({"location_type": "moon", "lieu_address": ""}, {}, "MDS Nord"),
        ({"location_type": "moon", "lieu_name": "", "lieu_address": ""}, {}, ""),
    ],
)
def test_place_at_level_motif(changes: dict[str, object], rules: dict[str, object], place: str) -> None:
    """The street of a home visit is the usager's: the choice of a place does not show it, that of an address does."""
    assert draft(rdv(**changes), replace(MOTIF, **rules)).location == place  # type: ignore[arg-type]


WORKSHOP = {"collectif": True, "users_count": 2, "max_participants_count": 10}
TWO = (usager(2, "Bo", "B", email="bo@example.org"), usager(1, "Al", "A", phone_number="06", birth_date="1990-02-01"))
CLOSING = f"Voir le RDV : {URL}\nCet évènement suit RDV-Solidarités : date, durée et lieu se modifient là-bas."


@pytest.mark.parametrize(
    ("changes", "rules", "told"),
    [
        ({}, {}, []),
        ({}, {"show_phone": True}, ["Accueil : 03 21 00 00 00"]),
        ({}, {"show_context": True}, ["violences"]),
        ({"location_type": "visio"}, {}, ["Rejoindre la visio : https://visio.example/salle"]),
        ({"location_type": "visio"}, {"show_place": False}, []),
        (WORKSHOP, {}, ["Inscrits : 2 sur 10", "Usagers : Zoé MARTIN"]),
        (WORKSHOP, {"usager_fields": frozenset()}, ["Inscrits : 2 sur 10"]),
        (
            WORKSHOP | {"max_participants_count": None, "users_count": 0},
            {"usager_fields": frozenset()},
            ["Inscrits : 0"],
        ),
        (
            {"participations": TWO},
            {"usager_fields": frozenset(UsagerField)},
            ["Al A · Téléphone : 06 · Date de naissance : 01/02/1990", "Bo B · Courriel : bo@example.org"],
        ),
        (
            WORKSHOP | {"participations": TWO},
            {"usager_fields": frozenset({UsagerField.PHONE_NUMBER})},
            ["Inscrits : 2 sur 10", "Téléphone : 06"],
        ),
        ({"participations": TWO}, {"usager_fields": NAMES}, []),  # in the title
        (
            {"participations": (usager(1, "", "", address="2 rue Basse", birth_date="un jour"),)},
            {"usager_fields": frozenset(UsagerField)},
            ["Adresse : 2 rue Basse · Date de naissance : un jour"],
        ),
        (
            {"location_type": "home", "participations": (usager(1, "", "", address="1 rue de la  Gare, Arras"),)},
            {"usager_fields": frozenset(UsagerField)},
            [],  # it is the event's place
        ),
    ],
)
def test_description_at_level_motif(changes: dict[str, object], rules: dict[str, object], told: list[str]) -> None:
    shown = replace(MOTIF, **rules)  # type: ignore[arg-type]
    video = {} if changes.get("location_type") == "visio" else {"visio_url": ""}
    record = rdv(**(video | changes))
    assert draft(record, shown).description == "\n".join([*told, CLOSING])


def test_a_workshop_keeps_its_title_whoever_joins() -> None:
    """A title that changed with every registration would make every telephone ring."""
    few, more = (draft(rdv(**(WORKSHOP | {"users_count": count})), MOTIF) for count in (2, 3))
    assert few.summary == more.summary
    assert few.description != more.description


def test_what_a_new_copy_is_given_once() -> None:
    made = draft(rdv(), replace(MOTIF, category=" RDV\nusager ", color="teal", reminder_minutes=15))
    assert (made.category, made.color, made.reminder) == ("RDV usager", "teal", Reminder(15, "RDV"))
    assert draft(rdv()).reminder is None


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
