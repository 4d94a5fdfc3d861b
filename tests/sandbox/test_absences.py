"""Absences over HTTP: shapes, rules and traps."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest

from gateway.sandbox.absences import monthly, weekly
from tests.sandbox.support import MONDAY, World, pages

FIELDS = {"agent_id": 2, "title": "Occupé", "first_day": "2026-03-03", "start_time": "09:00", "end_time": "10:30"}


def test_create_answers_200_with_the_whole_record(world: World) -> None:
    answer = world.client().post("/api/v1/absences", json=FIELDS | {"title": "  Occupé "})
    assert answer.status_code == 200
    absence = answer.json()["absence"]
    ical = absence.pop("ical")
    assert absence == {
        "id": 1,
        "ical_uid": "absence_1@RDV Solidarités",
        "title": "Occupé",
        "first_day": "2026-03-03",
        "end_day": "2026-03-03",
        "start_time": "09:00:00",
        "end_time": "10:30:00",
        "rrule": None,
        "agent": {
            "id": 2,
            "first_name": "pmi",
            "last_name": "PMI",
            "email": "pmi@demo.example",
            "inclusion_connect_open_id_sub": None,
        },
        "organisation": {
            "id": 1,
            "name": "Nord",
            "phone_number": "0100000000",
            "email": None,
            "verticale": "rdv_solidarites",
        },
    }
    assert "METHOD:PUBLISH\r\n" in ical
    assert "SEQUENCE:0\r\n" in ical
    assert "DTSTART;TZID=Europe/Paris:20260303T090000\r\n" in ical
    assert "SUMMARY:RDV Solidarités Occupé\r\n" in ical


@pytest.mark.parametrize("send", ["json", "data", "params"])
def test_json_form_and_query_are_all_read(world: World, send: str) -> None:
    given: dict[str, Any] = {send: FIELDS}
    assert world.client().post("/api/v1/absences", **given).status_code == 200


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        ({"title": " "}, "title"),
        ({"first_day": None}, "first_day"),
        ({"first_day": "2026-02-30"}, "first_day"),
        ({"start_time": "8h"}, "start_time"),
        ({"end_time": "24:00"}, "end_time"),
        ({"end_time": "09:00"}, "ends_time"),
        ({"end_time": "08:59:59"}, "ends_time"),
        ({"end_day": "2026-03-02"}, "ends_time"),
        ({"first_day": "2017-12-31", "end_day": "2018-01-01"}, "first_day"),
        ({"first_day": "2031-03-03"}, "first_day"),
        ({"end_day": "2031-03-03"}, "end_day"),
        ({"agent_id": 99}, "agent"),
        ({"agent_id": None}, "agent"),
    ],
)
def test_what_does_not_validate_is_422_under_its_key(world: World, changes: dict[str, Any], attribute: str) -> None:
    answer = world.client().post("/api/v1/absences", json=FIELDS | changes)
    assert answer.status_code == 422
    body = answer.json()
    assert body["success"] is False
    assert attribute in body["errors"]
    assert "error" in body["errors"][attribute][0]
    assert isinstance(body["error_messages"][0], str)
    assert world.state.absences_of(2) == []


@pytest.mark.parametrize("first_day", ["2018-01-01", "2031-03-02"])
def test_the_bounds_themselves_are_valid(world: World, first_day: str) -> None:
    assert world.client().post("/api/v1/absences", json=FIELDS | {"first_day": first_day}).status_code == 200


def test_the_email_must_match_exactly(world: World) -> None:
    fields = {key: value for key, value in FIELDS.items() if key != "agent_id"}
    client = world.client()
    assert client.post("/api/v1/absences", json=fields | {"agent_email": "pmi@demo.example"}).status_code == 200
    answer = client.post("/api/v1/absences", json=fields | {"agent_email": "PMI@demo.example"})
    assert (answer.status_code, answer.json()) == (404, {"not_found": "agent"})


def test_the_agent_id_wins_over_the_email(world: World) -> None:
    answer = world.client().post("/api/v1/absences", json=FIELDS | {"agent_email": "nobody@demo.example"})
    assert answer.json()["absence"]["agent"]["id"] == 2


def test_permission_is_asked_only_of_a_valid_record(world: World) -> None:
    client = world.client("pmi")
    forbidden = client.post("/api/v1/absences", json=FIELDS | {"agent_id": 3})
    assert (forbidden.status_code, forbidden.json()["errors"]) == (403, [{"base": "forbidden"}])
    assert client.post("/api/v1/absences", json=FIELDS | {"agent_id": 3, "title": ""}).status_code == 422


def test_show_distinguishes_unknown_from_forbidden(world: World) -> None:
    absence = world.absence(3)
    client = world.client("pmi")
    assert client.get(f"/api/v1/absences/{absence}").status_code == 403
    missing = client.get("/api/v1/absences/999")
    assert (missing.status_code, missing.json()) == (404, {"not_found": "absence"})
    assert world.client().get(f"/api/v1/absences/{absence}").json()["absence"]["id"] == absence


def test_moving_the_first_day_alone_past_the_stored_end_is_422(world: World) -> None:
    absence = world.absence()
    client = world.client()
    alone = client.patch(f"/api/v1/absences/{absence}", json={"first_day": "2026-03-05"})
    assert alone.status_code == 422
    assert "ends_time" in alone.json()["errors"]
    whole = {"first_day": "2026-03-05", "end_day": "2026-03-05", "start_time": "9:0", "end_time": "9:30:15"}
    moved = client.patch(f"/api/v1/absences/{absence}", json=whole).json()["absence"]
    assert (moved["first_day"], moved["start_time"], moved["end_time"]) == ("2026-03-05", "09:00:00", "09:30:15")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_update_takes_any_subset_and_ignores_the_agent(world: World, method: str) -> None:
    absence = world.absence()
    answer = world.client().request(method, f"/api/v1/absences/{absence}", json={"title": "X", "agent_id": 3})
    assert answer.status_code == 200
    assert (answer.json()["absence"]["title"], answer.json()["absence"]["agent"]["id"]) == ("X", 2)


def test_delete_is_204_empty_then_404(world: World) -> None:
    absence = world.absence()
    client = world.client()
    answer = client.delete(f"/api/v1/absences/{absence}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.delete(f"/api/v1/absences/{absence}").json() == {"not_found": "absence"}


def test_a_post_twice_makes_two(world: World) -> None:
    client = world.client()
    first, second = (client.post("/api/v1/absences", json=FIELDS).json()["absence"]["id"] for _ in range(2))
    assert first != second


def test_recurring_absences_have_odd_rules_and_keep_their_first_day(world: World) -> None:
    until = MONDAY + timedelta(weeks=8)
    absence = world.absence(rrule=weekly(["MO", "TH"], every=2, until=until))
    client = world.client()
    shown = client.get(f"/api/v1/absences/{absence}").json()["absence"]
    assert shown["rrule"] == "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20260427T000000;"
    assert f"RRULE:{shown['rrule']}\r\n" in shown["ical"]
    moved = client.patch(f"/api/v1/absences/{absence}", json={"first_day": "2026-03-03", "end_day": "2026-03-03"})
    assert moved.status_code == 422
    assert "recurrence" in moved.json()["errors"]
    assert client.patch(f"/api/v1/absences/{absence}", json={"end_time": "11:00"}).status_code == 200


def test_recurrence_is_for_single_days_and_ends_after_it_starts(world: World) -> None:
    for details in ({"end_day": MONDAY + timedelta(days=1)}, {"rrule": weekly(["MO"], until=MONDAY)}):
        with pytest.raises(Exception, match="recurrence"):
            world.absence(**({"rrule": monthly("1MO")} | details))


def test_the_list_is_unfiltered_and_latest_first(world: World) -> None:
    for agent, day, hour in ((2, 0, 9), (3, 4, 8), (6, -400, 9), (2, 4, 14)):
        world.absence(agent, day=day, start_time=time(hour), end_time=time(hour + 1))
    query = {"agent_id": 2, "organisation_id": 1, "first_day": "2026-03-02", "per": 1}
    answer = world.client().get("/api/v1/absences", params=query).json()
    assert [absence["id"] for absence in answer["absences"]] == [4, 2, 1, 3]
    assert answer["meta"] == {
        "current_page": 1,
        "next_page": None,
        "prev_page": None,
        "total_pages": 1,
        "total_count": 4,
    }


def many(world: World, count: int) -> None:
    with world.state.storage.transaction():
        for _ in range(count):
            world.absence()


def test_pages_hold_100_and_odd_page_numbers_are_tolerated(world: World) -> None:
    many(world, 150)
    client = world.client()
    for page in ("1", "abc", "0", "-3", ""):
        assert client.get("/api/v1/absences", params={"page": page}).json()["meta"]["current_page"] == 1
    second = client.get("/api/v1/absences", params={"page": 2}).json()
    assert (len(second["absences"]), second["meta"]["prev_page"], second["meta"]["next_page"]) == (50, 1, None)
    beyond = client.get("/api/v1/absences", params={"page": 9}).json()
    assert (beyond["absences"], beyond["meta"]["total_count"]) == ([], 150)


def test_equal_keys_swap_between_pages_but_two_readings_show_all(world: World) -> None:
    many(world, 250)
    client = world.client()
    first = [absence["id"] for absence in pages(client, "/api/v1/absences", "absences")]
    second = [absence["id"] for absence in pages(client, "/api/v1/absences", "absences")]
    assert len(first) == 250
    assert len(set(first)) < 250
    assert len(set(first) | set(second)) == 250


def test_equal_keys_can_be_made_to_stay(world: World) -> None:
    many(world, 250)
    world.state.absences.set_tie_order("stable")
    assert len({absence["id"] for absence in pages(world.client(), "/api/v1/absences", "absences")}) == 250


def test_the_zone_of_the_ical_text_follows_the_mode_of_the_first_organisation(world: World) -> None:
    absence = world.absence(6)
    client = world.client()
    old = client.get(f"/api/v1/absences/{absence}").json()["absence"]
    world.state.directory.set_zone_mode(3, "new")
    new = client.get(f"/api/v1/absences/{absence}").json()["absence"]
    assert "DTSTART;TZID=Europe/Paris:20260302T090000" in old["ical"]
    assert "DTSTART;TZID=Indian/Reunion:20260302T090000" in new["ical"]
    assert old["start_time"] == new["start_time"] == "09:00:00"


def test_several_days_are_one_block(world: World) -> None:
    fields = FIELDS | {"end_day": "2026-03-06", "start_time": "14:00", "end_time": "12:00"}
    assert world.client().post("/api/v1/absences", json=fields).status_code == 200
    assert world.state.absences_of(2)[0]["end_day"] == date(2026, 3, 6).isoformat()
