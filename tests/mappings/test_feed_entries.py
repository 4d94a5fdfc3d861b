"""What a feed holds of an RDV: nothing that is unknown, not listed or not notified, and no text beyond its level."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import PlageOuverture
from connectors.icalendar_feed import FeedEntry, FeedHead, Version, render_feed
from connectors.rdv_solidarites import parsing
from connectors.records import EventStatus, Participation, Rdv, RdvSelection, Transparency, UsagerField
from mappings.feed_entries import FeedRules, MotifList, absence_entry, plage_entry, rdv_entry
from mappings.feed_levels import SHOWN, FeedField, Level, Purpose
from tests.connectors.rdv_solidarites.support import rdv_record
from tests.mappings.samples import IDENTITY, absence
from tests.mappings.samples import rdv as sample

PARIS = ZoneInfo("Europe/Paris")
ZOE, CHILD, OTHER = 40, 41, 42
LISTED = MotifList(frozenset({5}))
OWN = Participation(1, "unknown", ZOE, notified=True)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def rdv(**changes: Any) -> Rdv:
    """A listed motif, and one notified participation of Zoé's."""
    return sample(**({"participations": (OWN,)} | changes))


def rules(purpose: Purpose = Purpose.USAGER, level: Level = Level.NEUTRAL, **changes: Any) -> FeedRules:
    made = FeedRules(purpose, level, PARIS, IDENTITY, motifs=LISTED)
    return replace(made, **changes)


def written(entry: FeedEntry) -> str:
    head = FeedHead("Mes rendez-vous", timedelta(hours=1), "steelblue", "fr")
    return render_feed(head, [(entry, Version(0, NOW))]).decode().replace("\r\n ", "").replace("\\", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"motif_id": 6},
        {"motif_id": None},
        {"motif_id": None, "motif_name": ""},
        {"status": "postponed"},
        {"participations": ()},
        {"participations": (replace(OWN, notified=False),)},
        {"participations": (replace(OWN, usager_id=OTHER),)},
        {"participations": (replace(OWN, usager_id=None),)},
        {"participations": (replace(OWN, status="waiting"),)},
        {"ends_at": datetime(2026, 3, 2, 9)},
        {"ends_at": datetime(2027, 3, 2, 9)},
    ],
)
def test_what_is_not_listed_not_notified_or_unknown_is_not_in_an_usagers_feed(changes: dict[str, Any]) -> None:
    assert rdv_entry(rdv(), ZOE, rules()) is not None
    assert rdv_entry(rdv(**changes), ZOE, rules()) is None


def test_by_default_no_motif_is_listed() -> None:
    assert rdv_entry(rdv(), ZOE, rules(motifs=MotifList())) is None
    assert rdv_entry(rdv(motif_name=""), ZOE, rules(motifs=MotifList(names=frozenset({"", " "})))) is None


def test_a_motif_is_listed_by_its_name_too() -> None:
    listed = rules(motifs=MotifList(names=frozenset({"rsa  -  ORIENTATION"})))
    assert rdv_entry(rdv(motif_id=99), ZOE, listed) is not None
    assert rdv_entry(rdv(motif_id=99, motif_name="RSA - Orientations"), ZOE, listed) is None


def test_a_notification_that_the_api_does_not_name_is_none() -> None:
    record = rdv_record(participations=[{"id": 501, "status": "unknown", "user": {"id": ZOE}}])
    read = parsing.rdv(record, organisation_id=3, chosen=RdvSelection(), base_url="https://rdv.example")
    assert [each.notified for each in read.participations] == [False]


@pytest.mark.parametrize(
    ("own", "rdv_status", "cancelled"),
    [
        (["unknown"], "unknown", False),
        (["seen"], "seen", False),
        (["noshow"], "noshow", False),
        (["excused"], "unknown", True),
        (["revoked"], "unknown", True),
        (["unknown"], "excused", True),
        (["unknown", "excused"], "unknown", False),
        (["excused", "revoked"], "unknown", True),
    ],
)
def test_an_usager_sees_what_becomes_of_their_own_participations(
    own: list[str], rdv_status: str, cancelled: bool
) -> None:
    others = Participation(90, "unknown" if cancelled else "excused", OTHER, notified=True)
    mine = tuple(replace(OWN, id=number, status=status) for number, status in enumerate(own))
    entry = rdv_entry(rdv(collectif=True, status=rdv_status, participations=(others, *mine)), ZOE, rules())
    assert entry is not None
    assert (entry.status is EventStatus.CANCELLED) is cancelled
    assert (entry.transparency is Transparency.TRANSPARENT) is cancelled
    assert entry.summary.startswith("[Annulé]") is cancelled


def test_an_usager_sees_the_rdvs_of_a_child_they_answer_for_and_not_the_other_way_round() -> None:
    of_child = rdv(participations=(Participation(2, "unknown", CHILD, responsible_id=ZOE, notified=True),))
    assert rdv_entry(of_child, ZOE, rules()) is not None
    assert rdv_entry(of_child, CHILD, rules()) is not None
    assert rdv_entry(rdv(), CHILD, rules()) is None


@pytest.mark.parametrize(
    ("purpose", "level", "subject", "summary", "location"),
    [
        (Purpose.USAGER, Level.NEUTRAL, ZOE, "Rendez-vous", "En personne"),
        (Purpose.USAGER, Level.PLACE, ZOE, "Rendez-vous", "MDS Nord, 1 rue de la Gare, Arras"),
        (Purpose.USAGER, Level.FULL, ZOE, "RSA - Orientation", "MDS Nord, 1 rue de la Gare, Arras"),
        (Purpose.AGENT, Level.TIMES, 12, "Occupé", ""),
        (Purpose.AGENT, Level.NEUTRAL, 12, "Rendez-vous", "En personne"),
        (Purpose.AGENT, Level.FULL, 12, "RSA - Orientation", "MDS Nord, 1 rue de la Gare, Arras"),
        (Purpose.LIEU, Level.TIMES, 8, "Occupé", ""),
        (Purpose.ORGANISATION, Level.TIMES, 3, "Occupé", ""),
    ],
)
def test_each_level_says_so_much(purpose: Purpose, level: Level, subject: int, summary: str, location: str) -> None:
    entry = rdv_entry(rdv(lieu_id=8), subject, rules(purpose, level))
    assert entry is not None
    assert (entry.summary, entry.location) == (summary, location)
    assert rdv_entry(rdv(lieu_id=8), subject + 1, rules(purpose, level)) is None


@pytest.mark.parametrize(("purpose", "level"), [(p, lv) for p in Purpose for lv in Level if lv not in SHOWN[p]])
def test_a_level_that_a_purpose_does_not_have_shows_no_more_than_times(purpose: Purpose, level: Level) -> None:
    subject = {Purpose.USAGER: ZOE, Purpose.LIEU: 8}.get(purpose, 3)
    entry = rdv_entry(rdv(lieu_id=8), subject, rules(purpose, level))
    assert entry is None or (entry.location, entry.description, entry.url) == ("", "", "")


def test_of_a_lieu_only_what_takes_place() -> None:
    assert rdv_entry(rdv(lieu_id=8, status="excused"), 8, rules(Purpose.LIEU, Level.TIMES)) is None


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        (None, datetime(2026, 3, 30, 9), "2026-03-30T07:00"),
        ("Indian/Reunion", datetime(2026, 3, 30, 9), "2026-03-30T05:00"),
        ("America/Miquelon", datetime(2026, 10, 26, 9), "2026-10-26T11:00"),
        ("nowhere", datetime(2026, 3, 2, 9), "2026-03-02T08:00"),
    ],
)
def test_times_are_those_of_the_rdvs_zone(zone: str | None, wall: datetime, instant: str) -> None:
    entry = rdv_entry(rdv(time_zone=zone, starts_at=wall, ends_at=wall + timedelta(hours=1)), ZOE, rules())
    assert entry is not None
    assert isinstance(entry.start, datetime)
    assert entry.start.astimezone(UTC).isoformat().startswith(instant)


def test_an_agents_feed_holds_their_absences_and_plages() -> None:
    full = rules(Purpose.AGENT, Level.FULL)
    weekly = absence("2026-03-02T09:00", "2026-03-02T12:00", "FREQ=WEEKLY;BYDAY=MO")
    plage = PlageOuverture(6, 12, 3, date(2026, 3, 3), time(9), time(12), "FREQ=WEEKLY;BYDAY=TU", None, (), "PMI")
    entries = [absence_entry(weekly, 12, full), plage_entry(plage, 12, full)]
    assert [each and (each.summary, each.rule, each.transparency.value) for each in entries] == [
        ("Formation", "FREQ=WEEKLY;BYDAY=MO", "OPAQUE"),
        ("PMI", "FREQ=WEEKLY;BYDAY=TU", "TRANSPARENT"),
    ]
    neutral = rules(Purpose.AGENT, Level.NEUTRAL)
    entries = [absence_entry(weekly, 12, neutral), plage_entry(plage, 12, neutral)]
    assert [each and each.summary for each in entries] == ["Indisponibilité", "Plage d’ouverture"]
    assert absence_entry(weekly, 13, full) is plage_entry(plage, 13, full) is None
    assert absence_entry(weekly, 12, rules(Purpose.USAGER, Level.FULL)) is None
    assert plage_entry(plage, 12, rules(Purpose.AGENT, Level.TIMES)) is None


def test_what_cannot_be_written_is_left_out() -> None:
    agent = rules(Purpose.AGENT)
    assert absence_entry(absence("2026-03-02T09:00", "2026-03-02T09:00"), 12, agent) is None
    assert absence_entry(absence("2026-03-02T09:00", "2026-03-02T10:00", "FREQ=SECONDLY"), 12, agent) is None
    weekly = absence("2026-03-02T09:00", "2026-03-02T12:00", "FREQ=WEEKLY")
    assert absence_entry(weekly, 12, replace(agent, zone=ZoneInfo("Asia/Tokyo"))) is None


# --- canaries ------------------------------------------------------------------------------------------------

SHOWN_BY = {
    "Motif-zamia": FeedField.MOTIF,
    "Atelier-zorse": FeedField.MOTIF,
    "Lieu-zinnia": FeedField.PLACE,
    "rue-du-Zinc": FeedField.PLACE,
    "01-zéphyr": FeedField.PHONE,
    "https://visio.example/zingel": FeedField.VISIO,
    "https://rdv.example/zodiac": FeedField.PAGE,
}
"""A canary in each text that some level shows, and by which field of it."""
NEVER = (
    *("Zorille", "Zébu", "06-zibeline", "zeuzere@example.org", "impasse-Zancle", "zonure-1990", "Contexte-zyzomys"),
    *("Tél-du-lieu-zèbre", "Domicile-zancle", "Notes-zygène", "Consigne-zoarces", "Organisation-zonure"),
)
"""What no level shows."""
_PERSON = {
    "id": ZOE,
    "first_name": "Zorille",
    "last_name": "Zébu",
    "phone_number": "06-zibeline",
    "email": "zeuzere@example.org",
    "address": "impasse-Zancle",
    "birth_date": "zonure-1990",
    "notes": "Notes-zygène",
}


def canaries(location_type: str, *, collectif: bool, status: str, notified: object, motif_id: int) -> Rdv:
    """Read with everything chosen that can be chosen."""
    home = location_type == "home"
    record = rdv_record(
        status=status,
        address="Domicile-zancle" if home else "",
        lieu={"id": 8, "name": "Lieu-zinnia", "address": "rue-du-Zinc", "phone_number": "Tél-du-lieu-zèbre"},
        organisation={"id": 3, "name": "Organisation-zonure", "phone_number": "01-zéphyr"},
        context="Contexte-zyzomys",
        visio_url="https://visio.example/zingel",
        url_for_agents="https://rdv.example/zodiac",
        collectif=collectif,
        name="Atelier-zorse",
        motif={
            "id": motif_id,
            "name": "Motif-zamia",
            "location_type": location_type,
            "service_id": 5,
            "instruction_for_rdv": "Consigne-zoarces",
        },
        agents=[{"id": 12}],
        participations=[
            {"id": 501, "status": "unknown", "user": _PERSON, "send_lifecycle_notifications": notified},
            {"id": 502, "status": "unknown", "user": {"id": OTHER, "first_name": "Zorille"}},
        ],
    )
    everything = RdvSelection(frozenset(UsagerField), context=True)
    return parsing.rdv(record, organisation_id=3, chosen=everything, base_url="https://rdv.example")


any_rdv = st.builds(
    canaries,
    st.sampled_from(["public_office", "phone", "home", "visio", "moon", ""]),
    collectif=st.booleans(),
    status=st.sampled_from(["unknown", "excused", "revoked", "seen", "noshow", "waiting"]),
    notified=st.sampled_from([True, False, None, "true", 1]),
    motif_id=st.sampled_from([5, 6]),
)
any_rules = st.builds(rules, st.sampled_from(Purpose), st.sampled_from(Level))
SUBJECTS = {Purpose.USAGER: ZOE, Purpose.AGENT: 12, Purpose.LIEU: 8, Purpose.ORGANISATION: 3}


@given(any_rdv, any_rules)
def test_nothing_outside_the_levels_fields_is_in_an_entry(read: Rdv, made: FeedRules) -> None:
    entry = rdv_entry(read, SUBJECTS[made.purpose], made)
    if made.purpose is Purpose.USAGER and (read.motif_id != 5 or not read.participations[0].notified):
        assert entry is None
    if entry is None:
        return
    text = written(entry)
    every_field = " ".join(str(getattr(entry, each.name)) for each in fields(entry))
    for told in (text, every_field):
        assert [word for word in NEVER if word in told] == []
        assert {field for word, field in SHOWN_BY.items() if word in told} <= made.shown
    assert [word for word in (*NEVER, *SHOWN_BY) if word in repr(entry)] == []


def test_canaries_do_sing() -> None:
    """At the highest levels each of them is found: the test above looks at the right place."""
    found = ""
    for kind in ("public_office", "visio"):
        read = canaries(kind, collectif=True, status="unknown", notified=True, motif_id=5)
        for purpose in (Purpose.USAGER, Purpose.AGENT):
            entry = rdv_entry(read, SUBJECTS[purpose], rules(purpose, Level.FULL))
            assert entry is not None
            found += written(entry)
    assert [word for word in SHOWN_BY if word not in found] == []
