"""Records: times in both forms, what may be null or unknown, and what never passes the door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rdv_solidarites import parsing
from connectors.rdv_solidarites.timestamps import as_parameter, timestamp
from connectors.rdv_solidarites.unreadable import Unreadable
from connectors.records import Rdv, RdvSelection, UsagerField
from tests.connectors.rdv_solidarites.support import absence_record, agent_record, nested, rdv_record

ALL_FIELDS = RdvSelection(frozenset(UsagerField), context=True)
PERSONAL = ("Jeanne", "Martin", "confidence", "7 rue du Domicile")


def read(record: object, chosen: RdvSelection = RdvSelection()) -> Rdv:  # noqa: B008 - a frozen value
    return parsing.rdv(record, organisation_id=3, chosen=chosen, base_url="https://rdv.example")


@pytest.mark.parametrize(
    ("text", "wall_clock", "instant"),
    [
        ("2026-01-05 08:00:00 +0100", "2026-01-05T08:00:00", "2026-01-05T07:00:00Z"),
        ("2026-01-05T08:00:00+01:00", "2026-01-05T08:00:00", "2026-01-05T07:00:00Z"),
        ("2026-01-05T08:00:00.000+01:00", "2026-01-05T08:00:00", "2026-01-05T07:00:00Z"),
        ("2026-07-05 08:00:00 +0200", "2026-07-05T08:00:00", "2026-07-05T06:00:00Z"),
        ("2026-07-05 08:00:00 +0400", "2026-07-05T08:00:00", "2026-07-05T04:00:00Z"),
        ("2026-07-05T08:00:00-03:30", "2026-07-05T08:00:00", "2026-07-05T11:30:00Z"),
        ("2026-07-05T06:00:00Z", "2026-07-05T08:00:00", "2026-07-05T06:00:00Z"),
        ("2026-07-05 06:00:00 UTC", "2026-07-05T08:00:00", "2026-07-05T06:00:00Z"),
        ("2026-01-05T07:00:00.123+00:00", "2026-01-05T08:00:00", "2026-01-05T07:00:00Z"),
    ],
)
def test_a_timestamp_gives_its_wall_clock_and_the_servers_instant(text: str, wall_clock: str, instant: str) -> None:
    read_as = timestamp(text, time_zone=None, what="starts_at")
    assert read_as.wall_clock == datetime.fromisoformat(wall_clock)
    assert read_as.wall_clock.tzinfo is None
    assert as_parameter(read_as.instant) == instant


def test_a_timestamp_in_utc_is_told_in_the_zone_of_its_record() -> None:
    assert timestamp("2026-07-05T06:00:00Z", time_zone="Indian/Reunion", what="x").wall_clock.hour == 10


def test_a_mislabelled_offset_does_not_move_the_wall_clock() -> None:
    """Overseas the server may label local wall-clock with the offset of Paris."""
    assert timestamp("2026-07-05 08:00:00 +0200", time_zone="Indian/Reunion", what="x").wall_clock.hour == 8


@pytest.mark.parametrize(
    "value",
    [
        None, 3, "", "2026-01-05", "2026-01-05 08:00:00", "2026-02-30 08:00:00 +0100", "2026-01-05 25:00:00 +0100",
        "2026-01-05 08:00:00 +2500", "0001-01-01 00:00:00 +0900", "05/01/2026 08:00", "٢026-01-05 08:00:00 +0100",
    ],
)  # fmt: skip
def test_what_is_no_timestamp_is_unreadable_and_not_quoted(value: object) -> None:
    with pytest.raises(Unreadable) as caught:
        timestamp(value, time_zone=None, what="starts_at")
    assert "starts_at" in str(caught.value)
    assert not value or str(value) not in str(caught.value)


def test_a_utc_timestamp_in_an_unknown_zone_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        timestamp("2026-07-05T06:00:00Z", time_zone="../../etc/passwd", what="starts_at")


def test_an_rdv_as_the_api_gives_it() -> None:
    rdv = read(rdv_record())
    assert (rdv.id, rdv.uuid, rdv.status, rdv.organisation_id, rdv.agent_ids) == (77, "uuid-77", "unknown", 3, (12,))
    assert (rdv.starts_at, rdv.ends_at) == (datetime(2026, 3, 3, 9, 0), datetime(2026, 3, 3, 9, 30))
    assert rdv.starts_at_server == datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
    assert rdv.time_zone is None
    assert (rdv.motif_id, rdv.motif_name, rdv.service_id, rdv.location_type) == (9, "Suivi", 5, "public_office")
    assert (rdv.lieu_name, rdv.lieu_address) == ("MDS Nord", "1 rue de la Mairie, 75001 Paris")
    assert [(part.id, part.status, part.usager_id) for part in rdv.participations] == [(501, "unknown", 601)]


@pytest.mark.parametrize("location_type", ["public_office", "home", "phone", "visio", "à_inventer", None])
def test_without_a_choice_nothing_of_a_usager_passes(location_type: str | None) -> None:
    """The address of an RDV is the usager's home unless it is held in a public office."""
    record = rdv_record(lieu=None, address="" if location_type == "public_office" else "7 rue du Domicile")
    record["motif"] = nested(record, "motif", location_type=location_type)
    rdv = read(record)
    shown = [rdv.lieu_name, rdv.lieu_address, rdv.context, rdv.title, *(p.usager for p in rdv.participations)]
    assert not any(part in str(text) for text in shown for part in PERSONAL)


def test_chosen_fields_pass() -> None:
    record = rdv_record(address="7 rue du Domicile", lieu=None)
    record["motif"] = nested(record, "motif", location_type="home")
    rdv = read(record, ALL_FIELDS)
    assert rdv.lieu_address == "7 rue du Domicile"
    assert rdv.context == "confidence of a usager"
    (participation,) = rdv.participations
    assert [participation.said(each) for each in UsagerField] == ["Jeanne", "Martin", "", "", "", ""]


@pytest.mark.parametrize("chosen", UsagerField)
def test_each_field_passes_by_its_name_alone(chosen: UsagerField) -> None:
    known = {each.value: f"the {each.value}" for each in UsagerField}
    record = rdv_record(participations=[{"id": 1, "status": "seen", "user": {"id": 2} | known}])
    (participation,) = read(record, RdvSelection(frozenset({chosen}))).participations
    assert participation.usager == ((chosen, f"the {chosen.value}"),)


def test_a_telephone_number_is_given_in_either_form() -> None:
    user = {"id": 2, "phone_number": None, "phone_number_formatted": "+33611223344"}
    (participation,) = read(rdv_record(participations=[{"id": 1, "user": user}]), ALL_FIELDS).participations
    assert participation.said(UsagerField.PHONE_NUMBER) == "+33611223344"


@pytest.mark.parametrize(
    ("lieu", "organisation", "expected"),
    [("03 21", "03 20", "03 21"), (None, "03 20", "03 20"), ("", None, ""), (None, None, "")],
)
def test_the_telephone_number_of_a_place_is_its_own_or_its_organisation_s(
    lieu: str | None, organisation: str | None, expected: str
) -> None:
    record = rdv_record()
    record["lieu"] = nested(record, "lieu", phone_number=lieu)
    record["organisation"] = nested(record, "organisation", phone_number=organisation)
    assert read(record).phone_number == expected


@pytest.mark.parametrize(
    ("given_url", "expected"),
    [
        ("https://visio.example/salle", "https://visio.example/salle"),
        ("javascript:alert(1)", ""),
        ("https://visio.example/a b", ""),
        (None, ""),
    ],
)
def test_the_link_of_a_visio(given_url: str | None, expected: str) -> None:
    assert read(rdv_record(visio_url=given_url)).visio_url == expected


def test_an_rdv_shows_no_personal_text_in_its_repr() -> None:
    record = rdv_record(address="7 rue du Domicile", lieu=None, collectif=True, name="Atelier")
    record["motif"] = nested(record, "motif", location_type="home")
    assert not any(part in repr(read(record, ALL_FIELDS)) for part in (*PERSONAL, "Atelier"))


def test_only_a_collective_rdv_has_a_title() -> None:
    assert read(rdv_record(name="Atelier", collectif=True)).title == "Atelier"
    assert read(rdv_record(name="Atelier", collectif=False)).title == ""


NULLABLE = (
    "uuid", "status", "address", "context", "cancelled_at", "max_participants_count", "users_count", "name",
    "collectif", "organisation", "motif", "users", "participations", "lieu", "ends_at", "time_zone",
)  # fmt: skip


@pytest.mark.parametrize("name", NULLABLE)
@pytest.mark.parametrize("absent", [False, True])
def test_what_may_be_null_may_also_be_missing(name: str, *, absent: bool) -> None:
    record = rdv_record(77, **{name: None})
    if absent:
        del record[name]
    rdv = read(record)
    assert (rdv.id, rdv.agent_ids, rdv.ends_at) == (77, (12,), datetime(2026, 3, 3, 9, 30))


def test_unknown_values_survive() -> None:
    record = rdv_record(status="notexcused", new_field={"a": [1]}, time_zone="Mars/Olympus")
    record["motif"] = nested(record, "motif", location_type="hologram")
    rdv = read(record)
    assert (rdv.status, rdv.location_type, rdv.time_zone) == ("notexcused", "hologram", "Mars/Olympus")
    assert not rdv.cancelled


def test_an_rdv_may_have_no_agent_several_and_the_same_one_twice() -> None:
    assert read(rdv_record(agents=[])).agent_ids == ()
    assert read(rdv_record(agents=[agent_record(1), agent_record(2), agent_record(1)])).agent_ids == (1, 2)


def test_a_participation_may_lack_its_usager_and_is_left_out_without_an_id() -> None:
    rdv = read(rdv_record(participations=[{"id": 1, "status": "seen", "user": None}, {"status": "seen"}, None]))
    assert [(part.id, part.usager_id) for part in rdv.participations] == [(1, None)]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": True},
        {"starts_at": None},
        {"ends_at": None, "duration_in_min": None},
        {"ends_at": "2026-03-03 08:00:00 +0100"},
        {"agents": None},
        {"agents": [{"email": "a@example.org"}]},
        {"agents": "12"},
    ],
)
def test_an_rdv_that_would_mislead_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read(rdv_record(**changes))


@pytest.mark.parametrize(
    ("given_url", "expected"),
    [
        (None, "https://rdv.example/admin/organisations/3/rdvs/77"),
        ("https://rdv.example/r/77", "https://rdv.example/r/77"),
        ("javascript:alert(1)", "https://rdv.example/admin/organisations/3/rdvs/77"),
    ],
)
def test_the_link_to_an_rdv_is_the_given_one_or_built(given_url: str | None, expected: str) -> None:
    assert read(rdv_record(url_for_agents=given_url)).url == expected


def test_an_absence_as_the_api_gives_it() -> None:
    absence = parsing.absence(absence_record(rrule="FREQ=WEEKLY;BYDAY=MO;"))
    assert (absence.id, absence.agent_id, absence.title) == (412, 12, "Occupé")
    assert (absence.start, absence.end) == (datetime(2026, 3, 3, 9, 0), datetime(2026, 3, 3, 10, 30))
    assert absence.rrule == "FREQ=WEEKLY;BYDAY=MO;"


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"end_day": None}, datetime(2026, 3, 3, 10, 30)),
        ({"end_day": "2026-03-05"}, datetime(2026, 3, 5, 10, 30)),
        ({"end_time": "23:59"}, datetime(2026, 3, 3, 23, 59)),
        ({"end_time": "24:00:00"}, datetime(2026, 3, 4, 0, 0)),
    ],
)
def test_the_end_of_an_absence(changes: dict[str, Any], end: datetime) -> None:
    assert parsing.absence(absence_record(**changes)).end == end


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": None}, {"first_day": None}, {"start_time": "8h"}, {"end_time": "24:30"}, {"end_time": "08:00:00"},
        {"start_time": None}, {"end_day": "demain"}, {"end_day": "9999-12-31", "end_time": "24:00"},
    ],
)  # fmt: skip
def test_an_absence_whose_time_or_agent_is_unknown_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parsing.absence(absence_record(**changes))


def test_an_intervenant_has_no_email_and_names_may_be_null() -> None:
    agent = parsing.agent({"id": "5", "email": None, "first_name": None, "last_name": None})
    assert (agent.id, agent.email, agent.first_name, agent.last_name) == (5, None, "", "")


# --- tolerance -----------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PARSERS = (parsing.organisation, parsing.agent, parsing.motif, parsing.absence, read)


@given(JSON)
def test_any_json_is_read_or_unreadable(value: object) -> None:
    for parse in PARSERS:
        try:
            parse(value)
        except Unreadable:
            continue


@given(st.sampled_from(sorted(rdv_record())), JSON)
def test_any_json_in_any_field_of_an_rdv_is_read_or_unreadable(name: str, value: object) -> None:
    try:
        rdv = read(rdv_record(77, **{name: value}))
    except Unreadable:
        assert name in ("id", "starts_at", "ends_at", "agents")
    else:
        assert isinstance(rdv.starts_at, datetime)


@given(st.sampled_from(sorted(absence_record())), JSON)
def test_any_json_in_any_field_of_an_absence_is_read_or_unreadable(name: str, value: object) -> None:
    try:
        absence = parsing.absence(absence_record(412, **{name: value}))
    except Unreadable:
        assert name in ("id", "agent", "first_day", "end_day", "start_time", "end_time")
    else:
        assert absence.start <= absence.end


@given(st.dictionaries(st.text(min_size=1), JSON))
def test_unknown_fields_change_nothing(extra: dict[str, Any]) -> None:
    known = {"url_for_agents", "time_zone", "visio_url"}
    added = {name: value for name, value in extra.items() if name not in known}
    assert read(added | rdv_record()) == read(rdv_record())
