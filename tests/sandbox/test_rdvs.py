"""RDVs, participations, agents, organisations and motifs over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.support import World, pages

NORD = "/api/v1/organisations/1/rdvs"


def test_an_rdv_has_the_real_shape_and_text_times(world: World) -> None:
    rdv = world.rdv(context="secret")
    shown = world.client().get(NORD).json()["rdvs"][0]
    assert shown["id"] == rdv
    assert (shown["starts_at"], shown["ends_at"]) == ("2026-03-02 09:00:00 +0100", "2026-03-02 09:30:00 +0100")
    assert (shown["duration_in_min"], shown["status"], shown["cancelled_at"]) == (30, "unknown", None)
    assert (shown["address"], shown["lieu"]["name"]) == ("1 rue de Nord", "MDS Nord")
    assert shown["participations"][0]["user"] == shown["users"][0]
    assert shown["users"][0]["notes"] == "note privée"
    assert (shown["created_by_type"], shown["created_by"]) == ("Agent", "agent")
    assert "updated_at" not in shown
    assert "time_zone" not in shown


def test_a_visit_at_home_carries_the_home_address_and_no_lieu(world: World) -> None:
    world.rdv(motif_id=3, lieu_id=None)
    shown = world.client().get(NORD).json()["rdvs"][0]
    assert (shown["address"], shown["lieu"]) == ("1 rue privée", None)


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ({"starts_after": "2026-03-02T10:00:00"}, [10, 11]),
        ({"starts_before": "2026-03-02 10:00"}, [9, 10]),
        ({"starts_after": "2026-03-02 09:00:00 +0000", "starts_before": "2026-03-02T09:00:00Z"}, [10]),
        ({"starts_before": "2026-03-02"}, []),
        ({"starts_after": "2026-03-02", "starts_before": "2026-03-03"}, [9, 10, 11]),
        ({"starts_after": ""}, [9, 10, 11]),
    ],
)
def test_windows_are_inclusive_and_in_paris_time_without_offset(
    world: World, query: dict[str, str], seen: list[int]
) -> None:
    for hour in (9, 10, 11):
        world.rdv(hour=hour)
    found = world.client().get(NORD, params=query).json()["rdvs"]
    assert sorted(int(rdv["starts_at"][11:13]) for rdv in found) == seen


@pytest.mark.parametrize("value", ["hier", "2026-02-30", "12"])
def test_a_date_that_cannot_be_read_is_500(world: World, value: str) -> None:
    assert world.client().get(NORD, params={"starts_after": value}).status_code == 500


@pytest.mark.parametrize("organisation", ["2", "99", "abc"])
def test_a_foreign_or_unknown_organisation_is_200_and_empty(world: World, organisation: str) -> None:
    world.rdv(organisation_id=2, motif_id=5, lieu_id=2)
    answer = world.client("pmi").get(f"/api/v1/organisations/{organisation}/rdvs")
    assert (answer.status_code, answer.json()["rdvs"], answer.json()["meta"]["total_count"]) == (200, [], 0)


def test_an_rdv_comes_once_per_agent_unless_the_secretariat_asks(world: World) -> None:
    rdv = world.rdv([2, 5, 3])
    admin = world.client().get(NORD).json()
    assert ([found["id"] for found in admin["rdvs"]], admin["meta"]["total_count"]) == ([rdv] * 3, 3)
    assert {agent["id"] for agent in admin["rdvs"][0]["agents"]} == {2, 3, 5}
    secretary = world.client("secretary").get(NORD).json()
    assert ([found["id"] for found in secretary["rdvs"]], secretary["meta"]["total_count"]) == ([rdv], 1)


def test_rows_come_in_no_order_and_an_updated_one_moves_to_the_end(world: World) -> None:
    made = [world.rdv(hour=9 + number % 8) for number in range(30)]
    client = world.client()

    def listed() -> list[int]:
        return [rdv["id"] for rdv in client.get(NORD).json()["rdvs"]]

    before = listed()
    assert sorted(before) == made
    assert before != made
    assert before == listed()
    world.state.rdvs.edit(before[0])
    assert listed() == [*before[1:], before[0]]


def test_shuffled_rows_repeat_and_miss_across_pages(world: World) -> None:
    with world.state.storage.transaction():
        for _ in range(240):
            world.rdv()
    world.state.rdvs.set_row_order("shuffled")
    found = [rdv["id"] for rdv in pages(world.client(), NORD, "rdvs")]
    assert len(found) == 240
    assert len(set(found)) < 240


def test_overseas_old_mode_gives_the_right_wall_clock_with_paris_offset(world: World) -> None:
    world.rdv([6], organisation_id=3, motif_id=10, lieu_id=None)
    client = world.client()
    old = client.get("/api/v1/organisations/3/rdvs").json()["rdvs"][0]
    assert old["starts_at"] == "2026-03-02 09:00:00 +0100"
    assert "time_zone" not in old
    world.state.directory.set_zone_mode(3, "new")
    new = client.get("/api/v1/organisations/3/rdvs").json()["rdvs"][0]
    assert (new["starts_at"], new["time_zone"]) == ("2026-03-02 09:00:00 +0400", "Indian/Reunion")
    assert new["url_for_agents"] == f"{world.sandbox.url}/admin/organisations/3/rdvs/{new['id']}"
    paris = {"starts_after": "2026-03-02 09:00", "starts_before": "2026-03-02 09:00"}
    assert client.get("/api/v1/organisations/3/rdvs", params=paris).json()["meta"]["total_count"] == 1


def test_summer_time_has_its_offset(world: World) -> None:
    world.rdv(starts_at=datetime(2026, 7, 1, 9))
    assert world.client().get(NORD).json()["rdvs"][0]["starts_at"] == "2026-07-01 09:00:00 +0200"


def patch(world: World, participation: int, status: object, name: str = "admin") -> Any:
    return world.client(name).patch(
        f"/api/v1/participations/{participation}", json={"participation": {"status": status}}
    )


@pytest.mark.parametrize(
    ("statuses", "result"),
    [
        (["excused", "excused"], "excused"),
        (["revoked", "revoked"], "revoked"),
        (["noshow", "noshow"], "noshow"),
        (["excused", "revoked"], "unknown"),
        (["noshow", "seen"], "seen"),
        (["excused", "unknown"], "unknown"),
    ],
)
def test_the_status_of_an_rdv_follows_its_participations(world: World, statuses: list[str], result: str) -> None:
    rdv = world.rdv(user_ids=[1, 2])
    for number, status in enumerate(statuses, start=1):
        answer = patch(world, number, status)
    assert (answer.status_code, answer.json()["rdv"]["id"]) == (200, rdv)
    assert answer.json()["rdv"]["status"] == result
    assert [one["status"] for one in answer.json()["rdv"]["participations"]] == statuses


def test_cancelled_at_is_set_for_a_no_show_too_and_cleared_again(world: World) -> None:
    rdv = world.rdv()
    for status in ("excused", "revoked", "noshow"):
        world.state.rdvs.set_status(rdv, status)
        assert world.state.rdv(rdv)["cancelled_at"] == "2026-03-02 09:00:00 +0100"
    uuid = world.state.rdv(rdv)["uuid"]
    world.state.rdvs.recreate(rdv)
    again = world.state.rdv(rdv)
    assert (again["status"], again["cancelled_at"], again["uuid"]) == ("unknown", None, uuid)


def test_a_collective_rdv_keeps_its_status_and_counts_who_is_left(world: World) -> None:
    rdv = world.rdv(motif_id=4, user_ids=[1, 2], name="Budget", max_participants_count=5, hour=15)
    answer = patch(world, 1, "excused").json()["rdv"]
    assert (answer["collectif"], answer["status"], answer["users_count"]) == (True, "unknown", 1)
    patch(world, 2, "noshow")
    assert world.state.rdv(rdv)["status"] == "unknown"


def test_a_past_collective_rdv_where_nobody_came_is_revoked(world: World) -> None:
    rdv = world.rdv(motif_id=4, user_ids=[1], starts_at=datetime(2026, 2, 27, 9))
    patch(world, 1, "noshow")
    assert world.state.rdv(rdv)["status"] == "revoked"


def test_a_collective_rdv_may_be_empty_but_an_individual_one_may_not(world: World) -> None:
    assert world.state.rdv(world.rdv(motif_id=4, user_ids=[]))["users_count"] == 0
    with pytest.raises(Exception, match="participations"):
        world.rdv(user_ids=[])


def test_usagers_are_notified_of_a_future_cancellation_and_of_its_end(world: World) -> None:
    world.rdv(user_ids=[3], hour=15)
    world.rdv(user_ids=[4], hour=15, notify=False)
    world.rdv(user_ids=[2], starts_at=datetime(2026, 2, 27, 9))
    for participation in (1, 2, 3):
        patch(world, participation, "excused")
    patch(world, 1, "excused")
    patch(world, 1, "unknown")
    told = [(one["kind"], one["user_id"]) for one in world.state.notifications()]
    assert told == [("cancelled", 3), ("recreated", 3)]


def test_bad_participation_changes_are_refused_as_the_server_does(world: World) -> None:
    world.rdv()
    assert patch(world, 1, "waiting").status_code == 500
    assert world.client().patch("/api/v1/participations/1", json={}).status_code == 422
    unknown = patch(world, 99, "seen")
    assert (unknown.status_code, unknown.json()["success"]) == (404, False)
    assert patch(world, 1, "seen", "social").status_code == 404


def test_a_reschedule_keeps_the_identity_and_may_replace_the_agent(world: World) -> None:
    rdv = world.rdv([2])
    before = world.state.rdv(rdv)
    world.state.rdvs.move(rdv, datetime(2026, 3, 4, 11), agent_ids=[5])
    after = world.state.rdv(rdv)
    assert after["uuid"] == before["uuid"]
    assert (after["starts_at"], after["duration_in_min"]) == ("2026-03-04 11:00:00 +0100", 30)
    assert [agent["id"] for agent in after["agents"]] == [5]


def test_hard_deletion_leaves_nothing(world: World) -> None:
    rdv = world.rdv()
    world.state.rdvs.delete(rdv)
    assert world.client().get(NORD).json()["rdvs"] == []
    assert world.state.rdv(rdv) is None


def test_the_filter_on_a_foreign_organisation_of_agents_is_ignored(world: World) -> None:
    client = world.client("pmi")
    everyone = [agent["id"] for agent in client.get("/api/v1/agents").json()["agents"]]
    foreign = [agent["id"] for agent in client.get("/api/v1/agents?organisation_id=3").json()["agents"]]
    assert everyone == foreign == [2, 5]
    own = world.client().get("/api/v1/agents?organisation_id=3").json()["agents"]
    assert [agent["id"] for agent in own] == [1, 6]


def test_agents_without_role_or_removed_are_not_listed_and_intervenants_have_no_email(world: World) -> None:
    intervenant = world.state.directory.add_agent("Sans", "Adresse", email=None, service_ids=[1])
    world.state.directory.set_role(intervenant, 1, "intervenant")
    world.state.directory.remove_agent(5)
    found = {agent["id"]: agent["email"] for agent in world.client().get("/api/v1/agents").json()["agents"]}
    assert found[intervenant] is None
    assert not {5, 7} & set(found)


def test_organisations_are_the_callers_own(world: World) -> None:
    names = [one["name"] for one in world.client("social").get("/api/v1/organisations").json()["organisations"]]
    assert names == ["Nord", "Sud"]
    client = world.client("pmi")
    assert client.get("/api/v1/organisations/1").json()["organisation"]["name"] == "Nord"
    assert client.get("/api/v1/organisations/2").status_code == 403
    missing = client.get("/api/v1/organisations/99")
    assert (missing.status_code, missing.json()["success"]) == (404, False)


def test_motifs_are_filtered_and_a_foreign_organisation_is_500(world: World) -> None:
    world.state.directory.archive_motif(3)
    client = world.client("pmi")
    path = "/api/v1/organisations/1/motifs"
    assert [motif["id"] for motif in client.get(path).json()["motifs"]] == [1, 2, 3, 4]
    assert [motif["id"] for motif in client.get(path, params={"active": "true"}).json()["motifs"]] == [1, 2, 4]
    assert [motif["id"] for motif in client.get(path, params={"service_id": 2}).json()["motifs"]] == [2, 4]
    assert client.get(path, params={"bookable_publicly": "true"}).json()["motifs"] == []
    assert client.get("/api/v1/organisations/2/motifs").status_code == 500
    assert client.get(path, params={"motif_category_short_name": "rsa"}).status_code == 500


def test_what_the_api_lacks_is_404(world: World) -> None:
    client = world.client()
    assert client.get("/api/v1/lieux").status_code == 404
    assert client.get("/api/v1/organisations/1/plages_ouverture").status_code == 404


def test_a_duration_over_the_clock_change_is_real_time(world: World) -> None:
    rdv = world.rdv(starts_at=datetime(2026, 3, 29, 1, 30), duration_in_min=60)
    assert world.state.rdv(rdv)["ends_at"] == "2026-03-29 03:30:00 +0200"
    world.state.rdvs.move(rdv, datetime(2026, 3, 2, 9))
    assert world.state.rdv(rdv)["ends_at"] == "2026-03-02 10:00:00 +0100"
